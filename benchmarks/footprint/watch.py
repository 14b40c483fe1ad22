"""Reading what a program and all its children use, often enough to see the peak."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Footprint:
    """What a program and all its children used in one scenario: peak resident memory in MiB, and seconds of CPU of how many."""

    rss: float
    cpu_seconds: float
    seconds: float


@contextmanager
def watching(pids: dict[str, int], found: dict[str, Footprint]) -> Iterator[None]:
    """Watch programs for the time of a `with` block; `found` has a footprint of each afterwards."""
    stop = threading.Event()
    watches = [_Watch(name, psutil.Process(pid), stop) for name, pid in pids.items()]
    for watch in watches:
        watch.start()
    try:
        yield
    finally:
        stop.set()
        for watch in watches:
            watch.join()
            found[watch.name] = watch.footprint()


class _Watch(threading.Thread):
    def __init__(self, name: str, process: psutil.Process, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._process, self._stopped = process, stop
        self._peak = 0
        self._seconds: list[tuple[float, float]] = []

    def run(self) -> None:
        while True:
            self._look()
            if self._stopped.wait(EVERY_SECONDS):
                self._look()
                return

    def _look(self) -> None:
        rss, seconds = 0, 0.0
        with suppress(psutil.NoSuchProcess):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    rss += process.memory_info().rss
                    times = process.cpu_times()
                    # Of children that have ended, what they took is with their parent.
                    seconds += times.user + times.system + times.children_user + times.children_system
        self._peak = max(self._peak, rss)
        self._seconds.append((time.monotonic(), seconds))

    def footprint(self) -> Footprint:
        (begin, first), (end, last) = self._seconds[0], self._seconds[-1]
        return Footprint(self._peak / 2**20, max(0.0, last - first), end - begin)
