"""Take out of an image's environment what is never used there: `python3 trim_environment.py FOLDER [MODULE…]`.

1. Test suites, sources that only compilers and type checkers read, and what is drawn in notebooks.
2. Apache Arrow's Flight (RPC; a quarter of pyarrow), and libraries that its wheel holds two or three times under other names.
3. Symbols that only a debugger reads; every library still loads, or this fails.
4. Bytecode is written for what our code imports, now or later, and for the modules that are named: the files are read-only in a
   container, and Python starts two to four times slower without. For the rest, two thirds of the files, it would only weigh.

It runs on the base image's Python, whatever is installed there: only the standard library is used.
"""

from __future__ import annotations

import ast
import json
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

OURS = ("churn", "service", "monitoring", "pipelines")
SOURCES = {".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx", ".tp"}
ARROW = ("_flight.*", "libarrow_flight.*", "libarrow_python_flight.*", "_pyarrow_cpp_tests.*", "include", "src")

# Imports each module of the list on its standard input, and prints the files of all that were imported on the way.
IMPORT_ALL = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
out = sys.stdout
sys.stdout = sys.stderr  # what a module prints when it is imported is not for our reader
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):
        pass  # an optional package that this image does not have, or a name that is no module
json.dump([m.__file__ for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "").endswith(".py")], out)
"""

# Loads each library of the list on its standard input, in a process of its own, and prints those that it cannot.
LOAD_ALL = """
import ctypes, json, os, sys
failed = []
for name in json.load(sys.stdin):
    child = os.fork()
    if not child:
        try:
            ctypes.CDLL(name)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
json.dump(failed, sys.stdout)
"""


def remove_unused_files(packages: Path) -> None:
    """Remove tests, sources and Arrow's unused libraries from a `site-packages` folder."""
    for root, folders, names in os.walk(packages):
        folder = Path(root)
        # Evidently's are what it calls a test of data: its pages and our reports import them.
        if "tests" in folders and "evidently" not in folder.relative_to(packages).parts:
            shutil.rmtree(folder / "tests")
            folders.remove("tests")
        for name in names:
            if os.path.splitext(name)[1] in SOURCES:  # noqa: PTH122 -- a Path for each of 50,000 files takes seconds
                (folder / name).unlink()
    arrow = packages / "pyarrow"
    for path in [path for pattern in ARROW for path in arrow.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for library in arrow.glob("lib*.so.*.*"):
        # Loaded by its soname, such as libarrow_python.so.2500; the wheel cannot hold links, and has copies.
        name, _, version = library.name.partition(".so.")
        soname = arrow / f"{name}.so.{version.split('.')[0]}"
        if soname.exists() and soname != library:
            library.unlink()
            (arrow / f"{name}.so").unlink(missing_ok=True)

    for folder in packages.parents[2].glob("share/jupyter"), packages.glob("jupyterlab_plotly"), packages.glob("*/nbextension"):
        for path in folder:
            shutil.rmtree(path)


def strip_libraries(folder: Path, packages: Path) -> None:
    """Strip shared libraries, but for those that a wheel's maker has patched (`NAME.libs`): `strip` breaks some of them."""
    libraries = [str(file) for file in packages.rglob("*.so*") if file.parent.suffix != ".libs"]
    before = unloadable(folder, libraries)
    subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)  # noqa: S603, S607 -- of the build's own binutils
    if broken := unloadable(folder, libraries) - before:
        sys.exit(f"strip has broken {sorted(broken)}: leave these out in {__file__}")


def unloadable(folder: Path, libraries: list[str]) -> set[str]:
    """Return the libraries that this environment's Python cannot load by themselves."""
    done = subprocess.run(  # noqa: S603 -- the environment's own Python
        [folder / "bin/python", "-c", LOAD_ALL], input=json.dumps(libraries), capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def imported_names(file: Path) -> set[str]:
    """Name whatever a module imports, at its top or inside a function; names that are no modules among them."""
    names = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def compile_imported(folder: Path, packages: Path, more: list[str]) -> int:
    """Write bytecode for our packages and all that they import; give the number of files.

    The bytecode is not compared with its source when it is loaded: neither changes in an image.
    """
    ours = [file for name in OURS for file in (packages / name).rglob("*.py")]
    names = set(more).union(*(imported_names(file) for file in ours))
    done = subprocess.run(  # noqa: S603 -- as above
        [folder / "bin/python", "-c", IMPORT_ALL],
        input=json.dumps(sorted(names)),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp", "MPLCONFIGDIR": "/tmp"},  # noqa: S108 -- of the build's container
    )
    files = {*ours, *(Path(name) for name in json.loads(done.stdout))}
    compiled = [file for file in files if file.is_relative_to(packages)]
    for file in compiled:
        py_compile.compile(str(file), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return len(compiled)


def main() -> None:
    """Trim the environment in the folder that the command line names, and say what it weighs now."""
    folder, modules = Path(sys.argv[1]), sys.argv[2:]
    (packages,) = folder.glob("lib/python3*/site-packages")
    (folder / ".lock").unlink(missing_ok=True)  # uv's, for others to write to
    remove_unused_files(packages)
    strip_libraries(folder, packages)
    compiled = compile_imported(folder, packages, modules)
    size = sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
    sys.stdout.write(f"{folder}: {size / 1e6:.0f} MB, bytecode of {compiled} modules\n")


if __name__ == "__main__":
    main()
