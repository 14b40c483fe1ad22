from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from pipelines.local.ports import free_port
from tests.checkout import CHECKOUT, FOREIGN_SETTINGS
from tests.e2e.browser import Browser, chromium

PORTS = ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")
# Long enough for a slow machine: nothing here is about speed.
TIMEOUT_SECONDS = 240
# A monitoring run takes some seconds of a processor: not always one is to be at work.
MONITOR_SECONDS = 12


class Own(NamedTuple):
    """A process of a system, as it was when it was found."""

    process: psutil.Process
    words: list[str]
    is_flow_run: bool


class System:
    """`churn up` in a home and on ports of its own, with settings by name; stopped with the `with` block, if it still runs."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home = home
        self.ports = {name: free_port() for name in PORTS}
        chosen = {"home": home, "monitor_interval_seconds": MONITOR_SECONDS, **self.ports, **settings}
        self.environment = {name: value for name, value in os.environ.items() if not FOREIGN_SETTINGS.match(name)}
        self.environment |= {f"CHURN_{name.upper()}": str(value) for name, value in chosen.items()}
        self.process: subprocess.Popen[str] | None = None
        self.output = home.with_suffix(".out")

    def __enter__(self) -> System:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGINT)

    def url(self, path: str, port: str = "port") -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def start(self) -> None:
        with self.output.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.cli.main", "up"],
                cwd=CHECKOUT,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        eventually(lambda: "Ctrl-C stops" in self.said() or self.process.poll() is not None, "churn up is up")
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return self.output.read_text()

    def stop(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=TIMEOUT_SECONDS)

    def flow_runs_at_work(self) -> list[psutil.Process]:
        return [one.process for one in self._own() if one.is_flow_run]

    def served_by(self, module: str) -> list[str]:
        """Command lines of its processes that run `python -m MODULE`."""
        return [" ".join(one.words) for one in self._own() if one.words[1:3] == ["-m", module]]

    def runner(self) -> psutil.Process:
        return next(one.process for one in self._own() if not one.is_flow_run and one.words[-1:] == ["flows"])

    def _own(self) -> list[Own]:
        found = []
        for process in psutil.process_iter():
            # It may end between two questions.
            with suppress(psutil.Error):
                environment, words = process.environ(), process.cmdline()
                if environment.get("CHURN_HOME") == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(Own(process, words, "PREFECT__FLOW_RUN_ID" in environment))
        return found

    def processes(self) -> list[str]:
        """Command lines of every process that was given this system's home."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"CHURN_HOME={self.home}\0".encode() in environment and command:
                found.append(command)
        return found


def eventually(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen: {what}")
        time.sleep(0.3)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser
