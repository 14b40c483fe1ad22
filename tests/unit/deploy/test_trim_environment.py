from __future__ import annotations

import importlib.util
import py_compile
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy import trim_environment
from deploy.trim_environment import (
    UNCHECKED_HASH,
    compile_imported,
    gather,
    imported_names,
    remove_unused_files,
    strip_libraries,
    trust_bytecode,
)


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def files(root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "lib/python3/site-packages"
    folder.mkdir(parents=True)
    return folder


def test_tests_sources_and_notebooks_go_and_what_runs_stays(packages: Path) -> None:
    kept = {"a/run.py", "a/testing.py", "a/data.csv", "a/fast.so", "a/py.typed", "a/static/index.js"}
    kept |= {"evidently/tests/__init__.py", "evidently/legacy/tests/base_test.py", "evidently/nbextension/static/index.js"}
    fill(packages, *kept, "a/tests/test_a.py", "a/tests/more/tests/b.py", "a/fast.pyx", "a/fast.h", "a/run.pyi")
    fill(packages.parents[2], "share/jupyter/kernel.json", "share/man/man1/a.1")
    fill(packages, "jupyterlab_plotly/plot.js", "a/nbextension/a.js")
    remove_unused_files(packages)
    assert files(packages) == kept
    assert files(packages.parents[2] / "share") == {"man/man1/a.1"}


def test_of_arrow_the_libraries_stay_under_the_name_that_is_loaded(packages: Path) -> None:
    kept = {"libarrow.so.2500", "libarrow_python.so.2500", "lib.cpython-311.so", "_parquet.cpython-311.so"}
    arrow = packages / "pyarrow"
    fill(arrow, *kept, "libarrow_python.so", "libarrow_python.so.2500.1.0")
    fill(arrow, "libarrow_flight.so.2500", "_flight.cpython-311.so", "include/arrow/api.h", "src/arrow/python/a.txt")
    remove_unused_files(packages)
    assert files(arrow) == kept


def test_names_are_found_at_the_top_and_inside_functions(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b as c\nfrom . import near\ndef later():\n    from d import e\n")
    assert imported_names(module) == {"a.b", "d", "d.e"}


def environment_of_this_python(root: Path) -> None:
    (root / "bin").mkdir()
    (root / "bin/python").symlink_to(sys.executable)


def test_bytecode_is_written_for_what_is_imported_and_for_nothing_else(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = packages.parents[2]
    environment_of_this_python(root)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    fill(packages, "churn/__init__.py", "library/__init__.py", "library/asked.py", "library/idle.py", "named.py")
    (packages / "churn/work.py").write_text("def later():\n    import library.asked\n    import not_installed\n")
    # Prints and ends when it is imported: neither may reach whoever asked.
    (packages / "named.py").write_text("import sys\nprint('here')\nsys.exit(3)\n")
    (packages / "library/asked.py").write_text("print('here')\n")
    assert compile_imported(root, packages, ["named"]) == 5
    flags = {file.read_bytes()[4:8] for file in packages.rglob("*.pyc")}
    assert flags == {UNCHECKED_HASH}
    assert {name.split("__pycache__/")[-1].split(".")[0] for name in files(packages) if name.endswith(".pyc")} == {
        "__init__",
        "work",
        "asked",
        "named",
    }


def test_bytecode_that_is_trusted_is_that_of_its_source(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = packages / "module.py"
    source.write_text("said = 'first'\n")
    file = Path(py_compile.compile(str(source), doraise=True))
    trust_bytecode(file)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept = file.read_bytes()
    trust_bytecode(file)
    assert file.read_bytes() == kept
    source.write_text("said = 'second'\n")
    spec = importlib.util.spec_from_file_location("module", source)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    # Python does not look, so whoever writes the layers must.
    assert loaded.said == "first"
    with pytest.raises(SystemExit, match="bytecode of another source"):
        trust_bytecode(file)


def test_a_layer_is_what_came_after_its_stamp(packages: Path, tmp_path: Path) -> None:
    root, target, stamp = packages.parents[2], tmp_path / "target", tmp_path / "stamp"
    fill(packages, "old/a.py", "changed/a.py")
    deadline = time.monotonic() + 120
    stamp.touch()
    # Clocks of file systems tick a few hundred times a second.
    while not (packages / "new/b.py").exists() or not trim_environment.is_newer(packages / "new/b.py", stamp):
        assert time.monotonic() < deadline
        fill(packages, "new/b.py")
    (packages / "changed/a.py").write_text("again")
    (packages / "link").symlink_to("nowhere")
    shutil.copystat(packages / "old/a.py", packages / "new/b.py")
    gather(root, stamp, target)
    site = target / packages.relative_to(root)
    assert {str(file.relative_to(site)) for file in site.rglob("*") if file.is_symlink() or file.is_file()} == {
        "changed/a.py",
        "new/b.py",
        "link",
    }
    assert (site / "link").is_symlink()
    assert (site / "changed/a.py").samefile(packages / "changed/a.py")


def test_a_library_that_strip_breaks_stops_the_build(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment_of_this_python(packages.parents[2])
    fill(packages, "a/one.so", "a/fast.libs/patched.so")
    stripped: list[str] = []

    def strip(command: list[str], **_: object) -> None:
        stripped.extend(command[2:])

    answers = iter([set(), {"one.so"}])
    monkeypatch.setattr(trim_environment, "unloadable", lambda folder, libraries: next(answers))
    monkeypatch.setattr(subprocess, "run", strip)
    with pytest.raises(SystemExit, match=r"strip has broken \['one.so'\]"):
        strip_libraries(packages.parents[2], packages)
    assert stripped == [str(packages / "a/one.so")]


def test_a_library_that_cannot_be_loaded_is_told_from_one_that_can(tmp_path: Path) -> None:
    environment_of_this_python(tmp_path)
    import _ctypes

    good, broken = tmp_path / "good.so", tmp_path / "broken.so"
    shutil.copy(_ctypes.__file__, good)
    broken.write_bytes(good.read_bytes()[:1000])
    assert trim_environment.unloadable(tmp_path, [str(good), str(broken)]) == {str(broken)}
