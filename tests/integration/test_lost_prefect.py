"""A real Prefect server that dies, or is stopped, while a command runs a flow: what the flow did counts, and is said (issue 18).

The server is stopped by the flow itself, so that the moment is always the same.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.pipelines.fixture import Fixture, make_fixture
from benchmarks.chaos.pipelines.prefect import serve_prefect
from churn.store.records import DecisionAction, DecisionKind
from pipelines.local.ports import free_port
from tests.prefect_template import copy_to_home

# No measurement: without an end of its own nothing would come at all.
TIMEOUT_SECONDS = 600
pytestmark = pytest.mark.timeout(900)
QUICK = {"PREFECT_API_REQUEST_TIMEOUT": "100", "PREFECT_CLIENT_MAX_RETRIES": "0", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

FLOWS = """
import json, os, signal, sys
from pipelines.environment import quiet_prefect
quiet_prefect()
from prefect import flow
from prefect.context import SyncClientContext
from prefect.exceptions import CancelledRun
from prefect.states import Cancelled
from churn.errors import ChurnError, RegistryError
from pipelines.flows.foreground import run_here

server, told, seen = int(sys.argv[1]), [], []

def note(flow, run, state):
    seen.append([flow.name, bool(run.id), state.name, str(state.message or "")])

def stop(number):
    os.kill(server, number)
    if number == signal.SIGSTOP:
        # It does not answer however long one waits.
        SyncClientContext.get().client._client.timeout = 1

@flow(name="works", on_completion=[note], on_failure=[note])
def works(send=0):
    stop(send)
    return {"version": "3"}

@flow(name="fails", on_completion=[note], on_failure=[note])
def fails():
    os.kill(server, signal.SIGKILL)
    raise RegistryError("the registry did not answer")

@flow(name="skips")
def skips():
    stop(signal.SIGSTOP)
    return Cancelled(message="a training is under way")

def ends(flow, **parameters):
    try:
        return run_here(flow, told.append, **parameters)
    except (ChurnError, CancelledRun) as error:
        return f"{type(error).__name__}: {error}"

found = {"calm": ends(works), "calm told": list(told)}
for name, flow, parameters in (
    ("stopped", works, {"send": int(signal.SIGSTOP)}), ("skipped", skips, {}), ("killed", fails, {}), ("away", works, {})
):
    found[name] = ends(flow, **parameters)
    if name in ("stopped", "skipped"):
        os.kill(server, signal.SIGCONT)
print(json.dumps({**found, "told": told, "hooks": seen}))
"""


@pytest.fixture
def company(tmp_path: Path) -> Fixture:
    return make_fixture(tmp_path / "home")


@pytest.fixture
def server(company: Fixture, prefect_template: Path, tmp_path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A Prefect server's process, and the environment of those that use it."""
    port = free_port()
    environment = company.environment | QUICK | {"PREFECT_HOME": str(tmp_path / "prefect")}
    environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    copy_to_home(prefect_template, tmp_path / "prefect")
    process = serve_prefect(environment, port)
    try:
        yield process.pid, environment
    finally:
        process.kill()
        process.wait()


def run(code: str, *arguments: object, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)


def test_what_a_flow_did_counts_though_prefect_cannot_note_it(server: tuple[int, dict[str, str]]) -> None:
    pid, environment = server
    done = run(FLOWS, pid, environment=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (found["calm"], found["calm told"]) == ({"version": "3"}, [])
    assert found["stopped"] == {"version": "3"}
    assert found["skipped"] == "CancelledRun: a training is under way"
    assert found["killed"] == "RegistryError: the registry did not answer", "the flow's own error, not that of Prefect's client"
    assert found["away"].startswith("ChurnError: Prefect's server does not answer, and works did not begin")
    assert ["works" in line or "skips" in line for line in found["told"]] == [True, True]
    # Each end is noted once, whoever notes it.
    assert [[name, known, state] for name, known, state, _ in found["hooks"]] == [
        ["works", True, "Completed"],
        ["works", True, "Completed"],
        ["fails", True, "Failed"],
    ]
    assert "Traceback" not in done.stderr


TRAIN = """
import importlib, os, sys
from churn.config.settings import load_settings
from pipelines.environment import prepare_environment, quiet_prefect
prepare_environment(load_settings())
quiet_prefect()
from benchmarks.chaos.pipelines import forks
number, victim, step = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
kill = os.kill
# (GitPython ends its own helpers by os.kill, whenever garbage is collected.)
os.kill = lambda pid, signal: kill(pid, number if pid == victim else signal)
forks._always_promote(importlib.import_module("pipelines.flows.train"))
forks._arm(*forks.TRAIN_STEPS[step], victim)
sys.argv = ["churn", "train", "--json"]
from pipelines.cli.main import main
main()
"""


@pytest.mark.long
@pytest.mark.parametrize(("number", "step"), [(signal.SIGKILL, "begun"), (signal.SIGKILL, "alias"), (signal.SIGSTOP, "alias")])
def test_a_training_whose_prefect_is_lost_says_what_became_true(
    company: Fixture, server: tuple[int, dict[str, str]], number: signal.Signals, step: str
) -> None:
    """The earlier it is lost, the more events are left to be sent: each was tried for eight seconds, and told in many lines."""
    pid, environment = server
    try:
        # One that was stopped does not answer however long one waits.
        limit = {"PREFECT_API_REQUEST_TIMEOUT": "30"} if number == signal.SIGSTOP else {}
        done = run(TRAIN, int(number), pid, step, environment=environment | limit)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["promoted"], said["version"]) == (True, company.registry().champion_version())
    assert "Traceback" not in done.stderr
    assert "its record of this run of train has no end" in done.stderr.strip().splitlines()[-1]
    assert "EventsWorker" not in done.stderr
    ends = company.decisions(DecisionKind.RETRAIN)
    assert [(end.action, end.model_version) for end in ends] == [(DecisionAction.PROMOTED, said["version"])]
    store = company.store()
    assert [(flow.flow, flow.succeeded, flow.failed) for flow in store.flow_runs()] == [("train", 1, 0)]
    store.close()
