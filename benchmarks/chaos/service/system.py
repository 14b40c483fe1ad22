"""The service as `churn serve` runs it, as a process of its own, on a store that a scenario can break."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil

from churn.config.settings import Settings
from churn.contract import load_contract
from churn.errors import ChurnError
from churn.modeling.model import Model, ModelInfo, build_pipeline, columns_read
from churn.registry import artifact
from churn.registry.last_known_good import save_last_known_good
from churn.registry.serialization import dump_pipeline
from churn.simulation.simulate import simulate
from pipelines.local.ports import free_port
from service.model_loading.loader_process import prepare_last

READY_SECONDS = 90.0
POLL_SECONDS = 0.05
SERVE = [str(Path(sys.executable).with_name("churn")), "serve"]


@dataclass
class Service:
    """One replica. Its model is the last known good one on its disk; no registry is asked, unless the settings name one.

    Attributes
    ----------
    home : Path
        `CHURN_HOME`.
    store_url : str
    workers : int
    settings : dict
        More environment variables.
    before : list of str
        Words before the command.
    """

    home: Path
    store_url: str
    workers: int = 1
    settings: dict[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        """Start it, and wait until it says that it is ready."""
        # Several workers wait until one of them has made the bundle, as on a new machine.
        give_model(self.home, with_bundle=self.workers == 1)
        with (self.home / "service.log").open("ab") as out:
            command = [*self.before, *SERVE, "--workers", str(self.workers)]
            self.process = subprocess.Popen(command, env=self._environment(), stdout=out, stderr=out, start_new_session=True)
        self.wait_until(lambda: self.get("/readyz").status_code == httpx2.codes.OK)
        return self

    def kill(self) -> None:
        """Kill it and its workers with -9, and wait until they are gone."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """Stop it as an operator does; kill it if it does not obey."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()

    def get(self, path: str) -> httpx2.Response:
        """Ask it something."""
        return httpx2.get(f"http://{self.address}{path}", timeout=10)

    def post(self, path: str, document: Any) -> httpx2.Response:
        """Tell it something."""
        return httpx2.post(f"http://{self.address}{path}", json=document, timeout=30)

    def place(self) -> str:
        """Tell where it keeps predictions now: store, spool, or nowhere."""
        answer = self.get("/readyz")
        return str(answer.json()["log"]) if answer.status_code == httpx2.codes.OK else "nowhere"

    def wait_for_place(self, place: str) -> None:
        """Wait until predictions are kept there."""
        self.wait_until(lambda: self.place() == place)

    def metric(self, name: str) -> float:
        """Read one metric without labels."""
        lines = self.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def family(self) -> list[psutil.Process]:
        """Give its processes, parent first."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def worker_pids(self) -> list[int]:
        """Give the processes that answer."""
        if self.workers == 1:
            return [self.family()[0].pid]
        return [one.pid for one in self.family()[1:] if any("spawn_main" in word for word in _words(one))]

    def wait_until(self, condition: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait for something that it says; ChurnError with the end of its log if it ends, or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (self.process is None or self.process.poll() is None):
            try:
                if condition():
                    return
            except httpx2.TransportError:
                pass
            time.sleep(POLL_SECONDS)
        raise ChurnError(f"the service did not get there: {' | '.join(self.log()[-3:])}")

    def log(self) -> list[str]:
        """Read what it said."""
        return (self.home / "service.log").read_text(errors="replace").splitlines()

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CHURN_", "PROMETHEUS_"))}
        return {
            **clean,
            "CHURN_HOME": str(self.home),
            "CHURN_STORE_URL": self.store_url,
            "CHURN_PORT": str(self.port),
            "CHURN_TRACKING_URI": "http://127.0.0.1:9",  # nobody there
            "CHURN_REGISTRY_POLL_SECONDS": "3600",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **self.settings,
        }


@contextmanager
def serving(home: Path, store_url: str, **more: Any) -> Iterator[Service]:
    """Run a service until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    service = Service(home, store_url, **more)
    try:
        yield service.start()
    finally:
        service.stop()


def give_model(home: Path, *, with_bundle: bool = True) -> None:
    """Put a last known good model into a home that has none; with its bundle, no loader process has to make that first."""
    if not (home / "models").exists():
        shutil.copytree(_models(), home / "models", ignore=None if with_bundle else shutil.ignore_patterns("bundles"))


@cache
def _models() -> Path:
    """Fit a small model and make its bundle, once a process."""
    home = Path(tempfile.mkdtemp(prefix="churn-chaos-model-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    contract = load_contract()
    people = simulate(contract, 400, seed=1)
    columns = columns_read("plain", contract)
    pipeline = build_pipeline(1).fit(people.features[columns], people.labelled)
    info = ModelInfo(
        name="churn",
        version="1",
        run_id="chaos",
        trained_at=datetime.now(UTC),
        data_digest="chaos",
        data_source="invented",
        simulated=True,
        rows=400,
        contract=contract.name,
        contract_digest=contract.digest,
        features=columns,
        threshold=0.5,
        metrics={},
    )
    settings = Settings(home=home)
    folder = artifact.artifact_folder(settings, info.version, info.run_id)
    folder.mkdir(parents=True)
    (folder / artifact.INFO_FILE).write_text(info.model_dump_json())
    (folder / artifact.PIPELINE_FILE).write_bytes(dump_pipeline(pipeline))
    save_last_known_good(settings, Model(pipeline, info))
    prepare_last(settings)
    return home / "models"


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # it ended meanwhile, or waits for its parent to notice
        return []
