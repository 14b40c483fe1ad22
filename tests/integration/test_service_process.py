"""The service as a process of its own, as `churn serve` runs it: killed, stopped, and with several workers.

Its registry is away from the start: it serves the last known good model from disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from churn.config.settings import Settings
from churn.contract import load_contract
from churn.registry import artifact
from churn.registry.last_known_good import save_last_known_good
from churn.store.store import Store
from pipelines.local.ports import free_port
from service.model_loading.loader_process import prepare_last
from tests.skops_io import skops_io
from tests.unit.service.fakes import CUSTOMER, make_model, make_settings
from tools.loopback_http import http

SCRIPT = """
import sys
from churn.config.settings import load_settings
from service.server import run as server

server.DRAIN_SECONDS = float(sys.argv[2])
server.run(load_settings(), int(sys.argv[1]))
"""
Serve = Callable[..., tuple[subprocess.Popen[bytes], str]]


def put_last_known_good(settings: Settings) -> None:
    model = make_model("4")
    folder = settings.home / "models" / settings.model_name / f"4-{model.info.run_id}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / artifact.INFO_FILE).write_text(model.info.model_dump_json())
    skops_io.dump(model.pipeline, folder / artifact.PIPELINE_FILE)
    save_last_known_good(settings, model)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[subprocess.Popen[bytes]] = []

    def start(workers: int = 1, drain_seconds: float = 0.1) -> tuple[subprocess.Popen[bytes], str]:
        if not started:
            settings = make_settings(tmp_path)
            put_last_known_good(settings)
            # Several workers wait until one has made the bundle; one alone finds it.
            if workers == 1:
                prepare_last(settings)
        port, away = free_port(), free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CHURN_")}
        env = {
            **clean,
            "CHURN_HOME": str(tmp_path),
            "CHURN_PORT": str(port),
            "CHURN_TRACKING_URI": f"http://127.0.0.1:{away}",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(workers), str(drain_seconds)], env=env, start_new_session=True
        )
        started.append(process)
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: http.get(f"{address}/readyz", timeout=10).status_code == 200, process)
        return process, address

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(120)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the service ended with {process.returncode}"
        try:
            if condition():
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the service did not get there in time")


def stored_ids(home: Path) -> set[str]:
    store = Store.open(f"sqlite:///{home / 'store.db'}")
    try:
        return set(store.read_predictions(load_contract())["prediction_id"])
    finally:
        store.close()


def test_kill_right_after_the_answers_loses_none(serve: Serve, tmp_path: Path) -> None:
    process, address = serve()
    answered: list[str] = []

    def ask(_: int) -> None:
        with httpx2.Client(base_url=address, timeout=60) as client:
            try:
                while True:
                    answered.append(client.post("/predict", json=CUSTOMER).raise_for_status().json()["prediction_id"])
                    if len(answered) >= 200:
                        process.kill()
            except (httpx2.TransportError, json.JSONDecodeError):
                return

    with ThreadPoolExecutor(4) as clients:
        list(clients.map(ask, range(4)))
    assert process.wait(120) == -signal.SIGKILL
    assert len(answered) >= 200
    assert set(answered) <= stored_ids(tmp_path)


def test_killed_again_and_again_while_the_store_comes_and_goes_each_answer_is_there_once(serve: Serve, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    answered: list[str] = []
    away = False

    def toggle() -> None:
        nonlocal away
        names = ("elsewhere", "predictions") if away else ("predictions", "elsewhere")
        with store.engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {names[0]} RENAME TO {names[1]}"))
        away = not away

    # Killed while the store is there, while it is away, and while it gets what it missed.
    for moment in ("writing", "spooling", "feeding"):
        process, address = serve()
        asked = len(answered)

        def ask(_: int, process: Any = process, address: str = address, moment: str = moment, asked: int = asked) -> None:
            with httpx2.Client(base_url=address, timeout=60) as client:
                try:
                    while True:
                        answered.append(client.post("/predict", json=CUSTOMER).raise_for_status().json()["prediction_id"])
                        if len(answered) == asked + 60 and moment != "writing":
                            toggle()
                        if len(answered) >= asked + 200:
                            process.kill()
                except (httpx2.TransportError, json.JSONDecodeError):
                    return

        with ThreadPoolExecutor(4) as clients:
            list(clients.map(ask, range(4)))
        assert process.wait(120) == -signal.SIGKILL
    assert not away
    process, address = serve()
    wait_until(lambda: http.get(f"{address}/readyz").json()["log"] == "store", process)
    stored = store.read_predictions(load_contract())["prediction_id"].tolist()
    store.close()
    assert len(answered) >= 600
    assert len(stored) == len(set(stored))
    assert set(answered) <= set(stored)
    assert not list((tmp_path / "spool").glob("*.spool"))


def test_sigterm_first_shows_in_readyz_then_stops_cleanly(serve: Serve, tmp_path: Path) -> None:
    # Long enough for any machine: it is over when SIGINT comes.
    process, address = serve(drain_seconds=300)
    with httpx2.Client(base_url=address, timeout=60) as client:
        process.terminate()
        wait_until(lambda: client.get("/readyz").status_code == 503, process)
        assert [e["field"] for e in client.get("/readyz").json()["errors"]] == ["service"]
        answer = client.post("/predict", json=CUSTOMER)  # still answered
        assert answer.status_code == 200
    process.send_signal(signal.SIGINT)
    process.wait(120)
    assert answer.json()["prediction_id"] in stored_ids(tmp_path)


def test_workers_share_port_store_and_metrics(serve: Serve, tmp_path: Path) -> None:
    process, address = serve(2)

    def ask(_: int) -> Any:
        # A connection each: the kernel deals them out to the workers.
        return http.post(f"{address}/predict", json=CUSTOMER, timeout=30)

    with ThreadPoolExecutor(8) as clients:
        responses = list(clients.map(ask, range(40)))
    assert {response.status_code for response in responses} == {200}
    assert {response.json()["prediction_id"] for response in responses} == stored_ids(tmp_path)
    metrics = http.get(f"{address}/metrics").text.splitlines()
    assert "churn_log_written_total 40.0" in metrics
    assert "churn_workers 2.0" in metrics
    assert any(line.startswith("churn_process_resident_memory_bytes ") and float(line.split()[1]) > 5e7 for line in metrics)
    assert any(line.startswith("churn_model_info{") and 'version="4"' in line and line.endswith(" 1.0") for line in metrics)
    process.terminate()
    process.wait(120)
    assert list(tmp_path.glob("metrics-*")) == []
    with pytest.raises(httpx2.TransportError):
        http.get(f"{address}/healthz")
