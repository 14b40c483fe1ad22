"""Prefect's server is killed and started again while the flows run: nothing is missed, and no run stays "Running" for ever."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx2

from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.forks import Forks
from benchmarks.chaos.pipelines.monitor import SENSITIVE
from benchmarks.chaos.scenarios import Row, Size, scenario
from churn.simulation.simulate import SCENARIOS, simulate
from churn.store.records import DecisionAction, DecisionKind
from pipelines.local.ports import free_port
from service.server.healthcheck import is_alive

TIMEOUT_SECONDS = 240.0
INTERVAL_SECONDS = "15"


@scenario("prefect killed")
def prefect_killed(size: Size) -> Row:
    """Kill the server before a monitoring run that asks for a retraining, and again while the training runs."""
    row, port = Row("prefect killed"), free_port()
    fixture = make_fixture(size.work / "home", monitor_interval_seconds=INTERVAL_SECONDS, **SENSITIVE)
    api = f"http://127.0.0.1:{port}/api"
    environment = fixture.environment | {"PREFECT_API_URL": api, "PREFECT_HOME": str(size.work / "prefect")}
    environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "true", "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
    with ExitStack() as stack:
        with Forks(fixture.environment) as forks:
            row.expect("the first training works", forks.run("train", promote=True)["result"])
        # The runner is up first, and waits for its server.
        stack.enter_context(_process(environment, "-m", "pipelines.cli.main", "flows"))
        server = serve_prefect(environment, port)
        stack.callback(lambda: server.kill())  # noqa: PLW0108 - whichever it is by then
        row.expect("monitoring runs are made", _eventually(lambda: _monitoring_runs(fixture) >= 1))
        server = _kill_and_restart(row, server, environment, port, lambda: _drift(fixture))
        row.expect("a retraining was asked for", _eventually(lambda: _asked(fixture) != []))
        row.expect("it was heard, and a training began", _eventually(lambda: _begun(fixture) >= {*_asked(fixture)}))
        runs = _monitoring_runs(fixture)
        # The training is at work, or has just ended; either way it has to have an end.
        server = _kill_and_restart(row, server, environment, port, lambda: None)
        row.expect("each training has an end", _eventually(lambda: _ended(fixture)))
        row.expect("monitoring runs go on", _eventually(lambda: _monitoring_runs(fixture) > runs))
        stuck = _eventually(lambda: not _stuck(api))
        row.expect("no run stays unfinished without a process", stuck)
        row.made, row.failed = _runs(api)
        row.lost = len({*_asked(fixture)} - _begun(fixture))
    return row


def _kill_and_restart(
    row: Row, server: subprocess.Popen[bytes], environment: dict[str, str], port: int, meanwhile: Callable[[], None]
) -> subprocess.Popen[bytes]:
    row.faults += 1
    server.kill()
    server.wait()
    meanwhile()
    return serve_prefect(environment, port)


def serve_prefect(environment: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it answers."""
    command = [sys.executable, "-m", "churn.gc_tuning", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not _eventually(lambda: is_alive(f"http://127.0.0.1:{port}/api/health")):
        server.kill()
        raise AssertionError("Prefect's server did not start")
    return server


@contextmanager
def _process(environment: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *command], env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def _eventually(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(1)
    return False


def _drift(fixture: Fixture) -> None:
    fixture.serve(fixture.registry().load("champion"), simulate(fixture.contract, 300, 7, shift=SCENARIOS["plan-launch"].shift))


def _monitoring_runs(fixture: Fixture) -> int:
    """Count the monitoring runs that ended well, those with nothing to judge among them."""
    store = fixture.store()
    try:
        return sum(flow.succeeded for flow in store.flow_runs() if flow.flow == "monitor")
    finally:
        store.close()


def _asked(fixture: Fixture) -> list[str]:
    return [
        decision.decision_id for decision in fixture.decisions(DecisionKind.POLICY) if decision.action == DecisionAction.RETRAIN
    ]


def _begun(fixture: Fixture) -> set[str]:
    return {str(decision.evidence.get("asked_by")) for decision in fixture.decisions(DecisionKind.TRAINING)}


def _ended(fixture: Fixture) -> bool:
    begun = {
        decision.evidence["training"]
        for decision in fixture.decisions(DecisionKind.TRAINING)
        if decision.action == DecisionAction.STARTED
    }
    return begun <= {decision.evidence.get("training") for decision in fixture.decisions(DecisionKind.RETRAIN)}


def _ask(api: str, **states: list[str]) -> list[dict[str, Any]]:
    query = {"flow_runs": {"state": {"type": states}}} if states else {}
    answer = httpx2.post(f"{api}/flow_runs/filter", json={**query, "limit": 200}, timeout=30, trust_env=False)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def _stuck(api: str) -> bool:
    """Tell whether an unfinished run has no process."""
    from pipelines.flows.orphaned_runs import living_runs

    try:
        unfinished = _ask(api, any_=["RUNNING", "PENDING", "CANCELLING"])
    except httpx2.HTTPError:
        return True
    return bool({run["id"] for run in unfinished} - set(living_runs()))


def _runs(api: str) -> tuple[int, int]:
    """Count runs that were started, and those that did not end well."""
    ended = [run["state_type"] for run in _ask(api, any_=["COMPLETED", "FAILED", "CRASHED"])]
    return len(ended), sum(state != "COMPLETED" for state in ended)
