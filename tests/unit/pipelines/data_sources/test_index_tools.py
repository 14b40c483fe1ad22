"""Which tools a machine has, how they are called, and how far they are."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipelines.data_sources import index_tools as module
from pipelines.data_sources.index_tools import IndexTool, index_tools


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine whose Python has neither pip nor uv, and can make no environment with pip either."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else find(name))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(module, "_python_with_pip", lambda _: None)
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT", "UV_HTTP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def tools(folder: Path) -> list[IndexTool]:
    return list(index_tools(folder, folder / "requirement.txt"))


def test_a_machine_with_neither_has_no_tool(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tools(tmp_path) == []


def test_the_interpreters_own_pip_comes_first_and_uv_second(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(importlib.util, "find_spec", lambda _: "there")
    machine.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    machine.setattr(module, "_python_with_pip", lambda _: pytest.fail("there is a pip already"))
    pip, uv = tools(tmp_path)
    assert (pip.name, pip.unpacks, pip.command[:4]) == ("pip", False, (sys.executable, "-m", "pip", "download"))
    assert (uv.name, uv.unpacks, uv.command[:3]) == ("uv", True, ("/somewhere/uv", "pip", "install"))
    for tool in (pip, uv):
        said = " ".join(tool.command)
        # Only wheels, only this one, only with its hash: nothing of it is run.
        assert "--no-deps --only-binary :all: --require-hashes" in said
        assert f"--requirement {tmp_path / 'requirement.txt'}" in said
        assert str(tmp_path / "fetched") in tool.command
    assert "--no-input" in pip.command


def test_the_uv_beside_the_interpreter_is_nearer_than_another(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(shutil, "which", lambda _: "/somewhere/uv")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").touch()
    assert [tool.command[0] for tool in tools(tmp_path)] == [str(tmp_path / "bin" / "uv")]


def test_without_pip_an_environment_with_pip_is_made(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(module, "_python_with_pip", lambda folder: str(folder / "bin" / "python"))
    (pip,) = tools(tmp_path)
    assert pip.command[:4] == (str(tmp_path / "pip" / "bin" / "python"), "-m", "pip", "download")
    assert "--no-cache-dir" in pip.command


def test_a_python_that_brings_no_pip_along_is_no_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_ensurepip(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "ensurepip")

    monkeypatch.setattr("venv.create", no_ensurepip)
    assert module._python_with_pip(tmp_path) is None


def test_what_the_user_has_set_wins_over_our_time_limits(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setattr(shutil, "which", lambda _: "/somewhere/uv")
    machine.setenv("UV_HTTP_TIMEOUT", "7")
    machine.setenv("PIP_INDEX_URL", "https://index.example/simple")
    (uv,) = tools(tmp_path)
    assert (uv.environment["UV_HTTP_TIMEOUT"], uv.environment["PIP_DEFAULT_TIMEOUT"]) == ("7", "15")
    assert (uv.environment["UV_HTTP_RETRIES"], uv.environment["PIP_RETRIES"]) == ("1", "1")
    assert uv.environment["PIP_INDEX_URL"] == "https://index.example/simple"
    assert uv.environment["TMPDIR"] == str(tmp_path)


@pytest.mark.parametrize(("said", "asked"), [("1", False), ("true", False), ("ON", False), ("0", True), ("", True), ("no", True)])
def test_who_told_pip_to_ask_no_index_is_not_asked_by_uv_instead(
    machine: pytest.MonkeyPatch, tmp_path: Path, said: str, asked: bool
) -> None:
    machine.setattr(shutil, "which", lambda _: "/somewhere/uv")
    machine.setenv("PIP_NO_INDEX", said)
    machine.setenv("PIP_FIND_LINKS", "/wheels https://wheels.example")
    (uv,) = tools(tmp_path)
    assert ("--no-index" in uv.command) is not asked
    assert ("--find-links /wheels --find-links https://wheels.example" in " ".join(uv.command)) is not asked


def test_how_far_a_tool_is(tmp_path: Path) -> None:
    """Pip's wheel grows in its folder; of uv it is known what it has written."""
    pip, uv = (IndexTool("tool", (), {}, unpacks) for unpacks in (False, True))
    this = psutil.Process()
    assert pip.fetched_bytes(this, tmp_path) == 0
    (tmp_path / "pip-unpack-x").mkdir()
    (tmp_path / "pip-unpack-x" / "a.whl").write_bytes(b"12345")
    (tmp_path / "fetched.whl").write_bytes(b"123")
    (tmp_path / "log.txt").write_bytes(b"123456789")
    assert pip.fetched_bytes(this, tmp_path) == 5
    before = uv.fetched_bytes(this, tmp_path)
    (tmp_path / "unpacked").write_bytes(b"x" * 10_000)
    after = uv.fetched_bytes(this, tmp_path)
    assert before is not None
    assert after is not None
    assert after - before >= 10_000


def test_a_tool_that_has_just_ended_tells_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process = psutil.Process(ended.pid)
    ended.wait()
    assert IndexTool("uv", (), {}, unpacks=True).fetched_bytes(process, tmp_path) is None
