"""`churn up` in a process of its own, on ports of its own, and when it said what."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pipelines.local.supervisor import free_port

PORTS = ("PORT", "MLFLOW_PORT", "PREFECT_PORT", "EVIDENTLY_PORT", "EXPORTER_PORT")
READY, UP = " is ready after ", "Ctrl-C stops"


class System:
    """One home, in which the system is started again and again."""

    def __init__(self, home: Path) -> None:
        ports = {f"CHURN_{name}": str(free_port()) for name in PORTS}
        # No monitoring run comes in between.
        self._environment = {**os.environ, **ports, "CHURN_HOME": str(home), "CHURN_MONITOR_INTERVAL_SECONDS": "86400"}
        self._process: subprocess.Popen[str] | None = None
        self.mlflow = f"http://127.0.0.1:{ports['CHURN_MLFLOW_PORT']}"

    def start(self) -> dict[str, float]:
        """Start it, and return after how many seconds each part was ready, and `everything`."""
        started, found = time.perf_counter(), {}
        command = [sys.executable, "-u", "-m", "pipelines.cli.main", "up"]
        self._process = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            seconds = time.perf_counter() - started
            if READY in line:
                found[line.split(READY)[0].strip()] = seconds
            elif UP in line:
                return {**found, "everything": seconds}
        raise RuntimeError("churn up ended before it was up; its errors are above")

    def stop(self) -> None:
        """Stop it as Ctrl-C does, and wait until it has stopped."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.communicate()
