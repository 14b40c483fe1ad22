"""What is shown while the package comes: a bar on a terminal, a line elsewhere, and when a tool is given up."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.data_sources import package_index
from pipelines.data_sources.index_tools import IndexTool
from pipelines.data_sources.package_index import _progress, _wait

TOOL = IndexTool("pip", ("pip",), {}, False)


class Process:
    """Ends by itself at the given look, or never."""

    pid = 1

    def __init__(self, ends_at: int | None = None) -> None:
        self.looks, self._ends_at = 0, ends_at

    def wait(self, timeout: float) -> int:
        assert timeout == 0.1
        self.looks += 1
        if self._ends_at is not None and self.looks >= self._ends_at:
            return 0
        raise subprocess.TimeoutExpired("pip", timeout)


class Download:
    """Stands for clock and tool: a look takes ten seconds, and so many bytes have come at each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *arrived: int | None) -> None:
        self.arrived, self.now = list(arrived), 1000.0
        monkeypatch.setattr(package_index.psutil, "Process", lambda pid: f"process {pid}")
        monkeypatch.setattr(package_index.time, "monotonic", self._monotonic)
        monkeypatch.setattr(IndexTool, "fetched_bytes", self._fetched)
        monkeypatch.setattr(package_index, "MAX_STALL_SECONDS", 45)
        monkeypatch.setattr(package_index, "MAX_SECONDS", 200)

    def _monotonic(self) -> float:
        self.now += 10
        return self.now

    def _fetched(self, process: str, folder: Path) -> int | None:
        assert (process, folder) == ("process 1", Path("f"))
        return self.arrived.pop(0) if len(self.arrived) > 1 else self.arrived[0]


class Bar:
    task_ids = ("task",)

    def __init__(self) -> None:
        self.shown: list[float] = []

    def update(self, task: str, *, completed: float) -> None:
        assert task == "task"
        self.shown.append(completed)


def waited(process: Any, deadline: float = 1200.0) -> tuple[str | None, list[float]]:
    bar: Any = Bar()
    return _wait(process, TOOL, Path("f"), deadline, bar), bar.shown


def test_a_tool_that_ends_by_itself_is_shown_as_far_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    Download(monkeypatch, 0, 100, 250, package_index.PACKAGE.size + 5)
    assert waited(Process(ends_at=5)) == (None, [0, 100, 250, package_index.PACKAGE.size])


def test_a_tool_to_which_nothing_more_comes_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    Download(monkeypatch, 100, 200, 200)
    # Something came at the second look; the fifth after it is later than 45 s.
    assert waited(Process()) == ("nothing came for 45 s", [100, *[200] * 6])


def test_a_tool_of_which_nothing_is_known_is_given_up_at_the_deadline_only(monkeypatch: pytest.MonkeyPatch) -> None:
    Download(monkeypatch, None)
    stopped, shown = waited(Process(), deadline=1100.0)
    assert (stopped, set(shown), len(shown)) == ("not there after 200 s", {0}, 10)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_gets_a_bar_and_everything_else_one_line(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    monkeypatch.setattr(package_index, "errors", console)
    with _progress(TOOL) as progress:
        (task,) = progress.tasks
        assert (task.total, task.completed) == (package_index.PACKAGE.size, 0)
        assert task.description == f"fetching {package_index.PACKAGE}"
        assert progress.disable is not terminal
        assert progress.live.transient
    said = console.file.getvalue()  # type: ignore[attr-defined]
    line = f"fetching {package_index.PACKAGE} from the package index with pip, {package_index.PACKAGE.size / 1e6:.0f} MB"
    assert (line in said) is not terminal
