"""Take out of an image's environment what is never used there, and gather what a stage of the build has added to it.

`python3 trim_environment.py trim FOLDER [STAMP]`, after packages were installed:

1. Test suites, sources that only compilers and type checkers read, and what is drawn in notebooks, go.
2. Apache Arrow's Flight (RPC; a quarter of pyarrow), and libraries that its wheel holds two or three times under other names, go.
3. Symbols that only a debugger reads go; every library still loads, or this fails.

`python3 trim_environment.py compile FOLDER [MODULE…]`, after our own wheel was installed: bytecode is written for what our code
imports, now or later, and for the modules that are named. The files are read-only in a container, and Python starts two to four
times slower without. For the rest, two thirds of the files, it would only weigh.

`python3 trim_environment.py gather FOLDER STAMP TARGET`: what is newer than STAMP is in TARGET, too, for a layer of an image.

It runs on the base image's Python, whatever is installed there: only the standard library is used.
"""

from __future__ import annotations

import ast
import importlib.util
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

# Imports each module of the list on its standard input, and so writes the bytecode of all that are imported on the way.
IMPORT_ALL = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
sys.stdout = sys.stderr  # what a module prints when it is imported is not for our reader
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):
        pass  # an optional package that this image does not have, or a name that is no module
"""

# A file of bytecode begins with this many bytes: a magic number, flags, and what is known of its source (PEP 552).
HEADER_BYTES, MAGIC_BYTES = 16, 4
# Known by its hash, which is not compared when it is loaded: neither changes in an image.
UNCHECKED_HASH = (1).to_bytes(4, "little")

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
            # Evidently's pages hold the script that it keeps there.
            if path.parent.name != "evidently":
                shutil.rmtree(path)


def is_newer(file: Path, stamp: Path | None) -> bool:
    """Return whether a file was written, or its name given, after another was; an installer may set the rest of its times."""
    return stamp is None or file.lstat().st_ctime_ns > stamp.lstat().st_ctime_ns


def strip_libraries(folder: Path, packages: Path, stamp: Path | None = None) -> None:
    """Strip the shared libraries that are newer than the stamp.

    But for those that a wheel's maker has patched (`NAME.libs`): `strip` breaks some of them.
    """
    libraries = [str(file) for file in packages.rglob("*.so*") if file.parent.suffix != ".libs" and is_newer(file, stamp)]
    if not libraries:
        return
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
    """Write bytecode for our packages and all that they import, where there is none; give the number of files that have some."""
    ours = [file for name in OURS for file in (packages / name).rglob("*.py")]
    names = set(more).union(*(imported_names(file) for file in ours))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(  # noqa: S603 -- as above
        [folder / "bin/python", "-c", IMPORT_ALL],
        input=json.dumps(sorted(names)),
        text=True,
        check=True,
        env={**environment, "HOME": "/tmp", "MPLCONFIGDIR": "/tmp"},  # noqa: S108 -- of the build's container
    )
    for file in ours:
        if not Path(importlib.util.cache_from_source(str(file))).exists():
            py_compile.compile(str(file), doraise=True)
    compiled = list(packages.rglob("__pycache__/*.pyc"))
    for file in compiled:
        trust_bytecode(file)
    return len(compiled)


def trust_bytecode(file: Path) -> None:
    """Let Python load a file of bytecode without a look at its source: that is what it was made of, or this fails."""
    content = file.read_bytes()
    known = importlib.util.source_hash(Path(importlib.util.source_from_cache(str(file))).read_bytes())
    head = content[:MAGIC_BYTES] + UNCHECKED_HASH + known
    if content.startswith(head):
        return
    if content[MAGIC_BYTES:].startswith(UNCHECKED_HASH):
        sys.exit(f"{file} is bytecode of another source: a later layer has changed it")
    file.write_bytes(head + content[HEADER_BYTES:])


def gather(folder: Path, stamp: Path, target: Path) -> None:
    """Give all files that are newer than the stamp a second name in another folder."""
    for file in folder.rglob("*"):
        if (file.is_symlink() or not file.is_dir()) and is_newer(file, stamp):
            name = target / file.relative_to(folder)
            name.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, name, follow_symlinks=False)


def main() -> None:
    """Do what the command line says, and say what the environment weighs now."""
    command, folder, more = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    (packages,) = folder.glob("lib/python3*/site-packages")
    (folder / ".lock").unlink(missing_ok=True)  # uv's, for others to write to
    if command == "trim":
        remove_unused_files(packages)
        strip_libraries(folder, packages, Path(more[0]) if more else None)
    elif command == "compile":
        sys.stdout.write(f"bytecode of {compile_imported(folder, packages, more)} modules\n")
    elif command == "gather":
        gather(folder, Path(more[0]), Path(more[1]))
    else:
        sys.exit(__doc__)
    size = sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
    sys.stdout.write(f"{folder}: {size / 1e6:.0f} MB\n")


if __name__ == "__main__":
    main()
