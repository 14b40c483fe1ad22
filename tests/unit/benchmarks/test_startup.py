"""A start that hangs ends: what measures it waits for so long and no longer, and leaves nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.startup.system import System
from churn.errors import ChurnError


def system(home: Path, max_seconds: float, *lines: str) -> System:
    return System(home, max_seconds, [sys.executable, "-u", "-c", "\n".join(lines)])


def test_each_part_is_timed_and_a_full_pipe_stops_nobody(tmp_path: Path) -> None:
    talks = "for _ in range(20_000): print('more and more')"
    started = system(
        tmp_path,
        60,
        "import signal",
        "signal.signal(signal.SIGINT, lambda *_: exit())",
        "print('API is ready after 1 s')",
        "print('Ctrl-C stops')",
        talks,
        "signal.pause()",
    )
    found = started.start()
    assert found.keys() == {"API", "everything"}
    assert 0 < found["API"] <= found["everything"]
    started.stop()
    started.stop()


def test_a_start_that_ends_early_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChurnError, match="ended before it was up"):
        system(tmp_path, 60, "print('API is ready after 1 s')").start()


def test_a_start_that_hangs_is_ended(tmp_path: Path) -> None:
    hangs = system(tmp_path, 0.5, "import time", "time.sleep(600)")
    with pytest.raises(ChurnError, match=r"not up after 0\.5 s, and was ended"):
        hangs.start()
    assert hangs._process is not None
    assert hangs._process.returncode is not None


def test_a_stop_that_hangs_is_ended(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('Ctrl-C stops', flush=True); time.sleep(600)"
    hangs = System(tmp_path, 1.0, [sys.executable, "-c", deaf])
    hangs._max_seconds = 60.0
    hangs.start()
    hangs._max_seconds = 0.2
    with pytest.raises(ChurnError, match="did not stop"):
        hangs.stop()
