"""`churn up` in a process of its own, on ports of its own, and when it said what. It is never waited for without an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from benchmarks.serving.load import descendants
from churn.errors import ChurnError
from pipelines.local.ports import free_port

PORTS = ("PORT", "MLFLOW_PORT", "PREFECT_PORT", "EVIDENTLY_PORT", "EXPORTER_PORT")
READY, UP = " is ready after ", "Ctrl-C stops"
COMMAND = (sys.executable, "-u", "-m", "pipelines.cli.main", "up")


class System:
    """One home, in which the system is started again and again.

    Parameters
    ----------
    home : Path
        CHURN_HOME.
    max_seconds : float
        How long a start may take, and then a stop.
    command : sequence of str
    """

    def __init__(self, home: Path, max_seconds: float, command: Sequence[str] = COMMAND) -> None:
        ports = {f"CHURN_{name}": str(free_port()) for name in PORTS}
        # No monitoring run comes in between.
        self._environment = {**os.environ, **ports, "CHURN_HOME": str(home), "CHURN_MONITOR_INTERVAL_SECONDS": "86400"}
        self._command, self._max_seconds = list(command), max_seconds
        self._process: subprocess.Popen[str] | None = None
        self.mlflow = f"http://127.0.0.1:{ports['CHURN_MLFLOW_PORT']}"

    def start(self) -> dict[str, float]:
        """Start it, and return after how many seconds each part was ready, and `everything`.

        Raises
        ------
        ChurnError
            If it ends before that, or takes longer than it may.
        """
        started, found = time.perf_counter(), {}
        self._process = subprocess.Popen(self._command, env=self._environment, stdout=subprocess.PIPE, text=True)
        for line in self._lines(self._process, started + self._max_seconds):
            seconds = time.perf_counter() - started
            if READY in line:
                found[line.split(READY)[0].strip()] = seconds
            elif UP in line:
                return {**found, "everything": seconds}
        self._end(self._process)
        raise ChurnError("churn up ended before it was up; its errors are above")

    def _lines(self, process: subprocess.Popen[str], deadline: float) -> Iterator[str]:
        lines: SimpleQueue[str | None] = SimpleQueue()

        def read() -> None:
            # To the end, as a process whose pipe is full waits.
            assert process.stdout is not None
            with process.stdout as said:
                for line in said:
                    lines.put(line)
            lines.put(None)

        Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.perf_counter()))
            except Empty:
                self._end(process)
                raise ChurnError(f"churn up was not up after {self._max_seconds:g} s, and was ended") from None
            if line is None:
                return
            yield line

    def stop(self) -> None:
        """Stop it as Ctrl-C does, and wait until it has stopped.

        Raises
        ------
        ChurnError
            If that takes longer than it may; then everything was ended.
        """
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(self._max_seconds)
        except subprocess.TimeoutExpired:
            self._end(process)
            raise ChurnError(f"churn up did not stop within {self._max_seconds:g} s, and was ended") from None

    def _end(self, process: subprocess.Popen[str]) -> None:
        # Each of its parts has a session of its own.
        for pid in (*descendants(process.pid), process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
