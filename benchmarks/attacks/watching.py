"""What an attack costs the service, and others meanwhile: peak memory, a limit to it, and the slowest /readyz."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

PROBE_SECONDS = 0.02
PROBE_TIMEOUT = 10.0
# Between two looks a reader can take some 20 MB.
WATCH_SECONDS = 0.01
MB = 2**20


class Memory:
    """The memory of a process, by the kernel's own account (Linux)."""

    def __init__(self, pid: int) -> None:
        self._folder = Path("/proc") / str(pid)

    def now(self) -> int:
        """Return the resident bytes."""
        return self._read("VmRSS")

    def forget_peak(self) -> None:
        """Let the peak begin anew at what is resident now."""
        (self._folder / "clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the largest number of resident bytes since `forget_peak`."""
        return self._read("VmHWM")

    def _read(self, name: str) -> int:
        # A process that has ended has no memory, whether its parent knows it already or not.
        try:
            lines = (self._folder / "status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return 1024 * next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


class MemoryLimit:
    """Kills a process that takes too much resident memory, in a `with` block.

    Resident memory is what a machine runs out of. RLIMIT_DATA and RLIMIT_AS count address space that is only reserved: pyarrow's
    allocator reserves 1 GB with its first array, and touches 2 MB of it. A cgroup needs root.

    Parameters
    ----------
    pid : int
    more_bytes : int
        What it may take beyond what it has now.
    """

    def __init__(self, pid: int, more_bytes: int) -> None:
        self._pid, self._memory = pid, Memory(pid)
        self.max_bytes = self._memory.now() + more_bytes
        self.exceeded_by = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-limit", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(WATCH_SECONDS):
            with suppress(OSError):  # it has ended by itself
                if (now := self._memory.now()) > self.max_bytes:
                    os.kill(self._pid, signal.SIGKILL)
                    self.exceeded_by = now - self.max_bytes
                    return


class Readiness:
    """Asks /readyz all the time, in a `with` block, over one connection.

    Parameters
    ----------
    port : int
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="readiness", daemon=True)
        self._slowest, self._refused = 0.0, 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(PROBE_TIMEOUT)

    def take(self) -> tuple[float, int]:
        """Return the slowest answer since the last call, in seconds, and how many said that the service is not ready."""
        taken = self._slowest, self._refused
        self._slowest, self._refused = 0.0, 0
        return taken

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stopped.wait(PROBE_SECONDS):
            begun = time.perf_counter()
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=PROBE_TIMEOUT)
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                answer.read()
                self._refused += answer.status != http.client.OK
            except (OSError, http.client.HTTPException):  # no answer in time, or the service ended, which is told elsewhere
                with suppress(AttributeError):
                    connection.close()  # type: ignore[union-attr]
                connection = None
            self._slowest = max(self._slowest, time.perf_counter() - begun)
        if connection is not None:
            connection.close()
