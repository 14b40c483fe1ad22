"""What must be true of a system that `churn up` brought up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from churn.config.settings import load_settings
from churn.contract import Contract
from churn.data.dataset import Dataset
from monitoring.run_result import RunResult
from pipelines.demo.customers import Cast
from pipelines.local.ports import free_port
from pipelines.service_client import Client
from tests import forked
from tests.e2e.conftest import CHECKOUT, MONITOR_SECONDS, System, eventually
from tools.loopback_http import http

PARTS = {"service", "mlflow", "prefect", "exporter", "evidently", "flows", "store"}
CUSTOMER = {"customer_id": "first", "total_day_minutes": 265.1, "international_plan": "Yes", "customer_service_calls": 4}


def predict(system: System) -> dict[str, Any]:
    answer = http.post(system.url("/predict"), json=CUSTOMER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert 0 < told["churn_probability"] < 1
    return told


def assert_an_outcome_is_taken_once(system: System, prediction_id: str, *, duplicate: bool = False) -> None:
    outcome = {"outcomes": [{"prediction_id": prediction_id, "churned": True}]}
    for again in (True,) if duplicate else (False, True):
        said = http.post(system.url("/outcomes"), json=outcome).json()
        assert (said["accepted"], said["duplicates"]) == ((0, 1) if again else (1, 0))


def assert_pages_are_there(system: System) -> None:
    for page, port in (("/", "mlflow_port"), ("/", "prefect_port"), ("/", "evidently_port"), ("/docs", "port")):
        shown = http.get(system.url(page, port), follow_redirects=True)
        assert shown.status_code == 200, (page, port)
        assert "<html" in shown.text.lower(), (page, port)
    assert "churn_outcomes_total" in http.get(system.url("/metrics", "exporter_port")).text
    # MLflow runs in one process, and still answers no page that reached it under a foreign name.
    foreign = http.get(system.url("/", "mlflow_port"), headers={"Host": "foreign.example"})
    assert (foreign.status_code, system.served_by("uvicorn")) == (403, [])


def assert_schedules_are_on(system: System, *, monitor_seconds: float = MONITOR_SECONDS) -> None:
    deployed = http.post(system.url("/api/deployments/filter", "prefect_port"), json={}).json()
    assert not any(deployment["paused"] for deployment in deployed)
    schedules = {d["name"]: [s["schedule"] for s in d["schedules"] if s["active"]] for d in deployed}
    assert schedules["retrain"][0]["cron"] == "0 3 * * 0"
    assert schedules["run"][0]["interval"] == monitor_seconds


def completed_scheduled_runs(system: System) -> list[dict[str, object]]:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}, "deployments": {"name": {"any_": ["run"]}}}
    runs = http.post(system.url("/api/flow_runs/filter", "prefect_port"), json=wanted).json()
    return [run for run in runs if run["auto_scheduled"]]


def assert_status_says_that_all_is_well(system: System, *, version: str) -> None:
    told: list[subprocess.CompletedProcess[str]] = []

    def next_runs_are_there() -> bool:
        told.append(forked.churn("status", "--json", environment=system.environment))
        return "monitor" in {run["flow"] for run in json.loads(told[-1].stdout)["upcoming"]}

    # Prefect's scheduler makes them some time after a start.
    eventually(next_runs_are_there, "the next monitoring run is known")
    status = json.loads(told[-1].stdout)
    assert (told[-1].returncode, status["healthy"], status["problems"]) == (0, True, [])
    assert {part["name"] for part in status["parts"] if part["up"]} == PARTS
    assert status["model"]["version"] == version
    assert status["traffic"]["last_hour"] >= 1
    assert {flow["flow"] for flow in status["flows"] if flow["succeeded"]} == {"train", "monitor"}


def assert_a_second_up_is_refused(system: System) -> None:
    command = [sys.executable, "-m", "pipelines.cli.main", "up"]
    other_ports = {f"CHURN_{name.upper()}": str(free_port()) for name in system.ports}
    for changed, words in (({}, str(system.ports["port"])), (other_ports, "a churn runs here already")):
        environment = {**system.environment, **changed}
        second = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert words in second.stderr


def assert_a_killed_monitoring_run_is_not_waited_for(system: System) -> None:
    """A monitoring run that the schedule began is killed, and the runner with it: the next runner does not wait for it.

    So the schedule makes runs by itself, and they end well.
    """
    run, state = _suspend_one_at_work(system)
    for process in (run, system.runner()):
        process.kill()
    eventually(lambda: http.get(state).json()["state_type"] == "CRASHED", "its run is told to have crashed")
    killed = len(completed_scheduled_runs(system))
    eventually(lambda: len(completed_scheduled_runs(system)) > killed, "the next run ends well")


def _suspend_one_at_work(system: System) -> tuple[psutil.Process, str]:
    """Stop a monitoring run in the middle; give its process, and where its state is told."""
    found: list[tuple[psutil.Process, str]] = []

    def suspended() -> bool:
        for run in system.flow_runs_at_work():
            with suppress(psutil.NoSuchProcess):
                run.suspend()
                state = system.url(f"/api/flow_runs/{run.environ()['PREFECT__FLOW_RUN_ID']}", "prefect_port")
                # Asked twice: its last word may be on the way to the server.
                if all(http.get(state).json()["state_type"] == "RUNNING" for _ in _twice()):
                    found.append((run, state))
                    return True
                run.resume()  # it has only just begun, or has told its end and is about to leave
        return False

    eventually(suspended, "a monitoring run is at work")
    return found[0]


def _twice() -> Iterator[None]:
    yield
    time.sleep(1)
    yield


def close_the_loop(system: System, people: Cast, contract: Contract) -> None:
    """Let the steps of `churn demo` happen in this system, on its customers.

    Evidently draws nothing, and the launch is looked at once, when its outcomes are known: in a flow run of the system's runner.
    The other monitoring runs are forks: seven of the ten seconds of CPU that a flow run takes are imports. The long form leaves
    nothing out.
    """
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from pipelines.demo.demo import Loop
    from pipelines.flows.monitor import monitor_flow

    class QuickLoop(Loop):
        launching = False
        pictures = property(lambda _self: False, lambda _self, _wanted: None)  # type: ignore[assignment]

        def _launch(self, name: str, customers: Dataset, *, run_at_once: bool) -> RunResult:
            del run_at_once
            self.launching = True
            run = super()._launch(name, customers, run_at_once=False)
            self.launching = False
            return run

        def _monitor(self) -> RunResult:
            if self.launching:
                return super()._monitor()
            known = {run.run_id for run in self.store.monitor_runs()}
            # SQLite's connections are not to be in two processes.
            self.store.engine.dispose()
            environment = system.environment | {"CHURN_TRACKING_URI": settings.tracking_uri}
            done = forked.run(lambda: monitor_flow(pictures=False), ["monitor"], environment=environment)
            assert done.returncode == 0, done.stdout + done.stderr
            [new] = [run for run in self.store.monitor_runs() if run.run_id not in known]
            self.reports.append(new.report)
            return RunResult.from_record(new)

    settings = load_settings(home=system.home, tracking_uri=system.url("", "mlflow_port"))
    with (
        temporary_settings({PREFECT_API_URL: system.url("/api", "prefect_port")}),
        Client(system.url(""), contract) as client,
    ):
        loop = QuickLoop(settings, contract, client, people)
        try:
            loop.close()
        finally:
            loop.store.close()
    assert [result.name for result in loop.results] == ["ordinary 1", "launch 1", "after 1"]
    assert b"<html" in Path(loop.reports[-1]).read_bytes()[:10_000].lower()
