from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn.clock import CLOCK_SKEW
from churn.config.settings import Settings, load_settings
from churn.ids import new_id
from churn.store.records import Decision, DecisionAction, DecisionKind, Prediction
from churn.store.store import Store
from pipelines.cli.main import app
from pipelines.local.ports import free_port
from pipelines.local.status import Part, Status, find_status
from tests.unit.pipelines.loopback import Answer, Asked, web_server

PARTS = ("service", "mlflow", "prefect", "exporter", "evidently")
PORTS = ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in PORTS:
        monkeypatch.setenv(f"CHURN_{name.upper()}", str(free_port()))
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("CHURN_STORE_URL", raising=False)
    return load_settings()


def test_where_nothing_runs_every_part_says_so_and_nothing_is_made(settings):
    found = CliRunner().invoke(app, ["status", "--json"])
    assert found.exit_code == 1
    told = json.loads(found.stdout)
    assert told["healthy"] is False
    assert {part["name"] for part in told["parts"]} == {*PARTS, "flows", "store"}
    assert not any(part["up"] for part in told["parts"])
    # Nothing waits for Evidently's pages.
    assert [text.split(":")[0] for text in told["problems"]] == ["service", "mlflow", "prefect", "exporter", "flows", "store"]
    assert not settings.home.exists()


def test_what_is_remembered_is_told_while_the_rest_is_down(settings):
    settings.home.mkdir()
    store = Store.open(settings.store_url)
    moment = datetime.now(UTC)
    times = [moment - timedelta(minutes=50 * n) for n in range(3)]
    asked = [Prediction(new_id(int(at.timestamp() * 1e9)), None, at, "1", 0.2, 0.5, False, {}) for at in times]
    store.write_predictions(asked)
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "500 predictions [drifted]", "1"))
    store.write_flow_run("train", seconds=41.0, failure="no data")
    store.close()

    found = find_status(settings)
    assert found.traffic is not None
    assert found.traffic["last_hour"] == 2
    assert found.traffic["last_outcome_at"] is None
    assert found.monitor is not None
    assert (found.monitor["action"], found.monitor["reason"]) == ("watch", "500 predictions [drifted]")
    assert "flow train failed: no data" in found.problems
    screen = CliRunner().invoke(app, ["status"])
    assert screen.exit_code == 1
    for text in ("not healthy", "500 predictions [drifted]", "2 predictions in the last hour", "none answers"):
        assert text in screen.stdout


def test_a_monitor_that_does_not_look_is_a_problem(settings):
    settings.home.mkdir()
    store = Store.open(settings.store_url)
    store.write_flow_run("monitor", seconds=2.0, at=datetime.now(UTC) - timedelta(hours=3))
    store.close()
    assert "the monitor last ran 3 h ago" in find_status(settings).problems


def test_a_clock_that_was_set_back_is_a_problem(settings):
    settings.home.mkdir()
    store = Store.open(settings.store_url)
    moment = datetime.now(UTC)
    later = moment + timedelta(hours=3)
    store.write_predictions([Prediction("p1", None, later, "1", 0.2, 0.5, False, {})])
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.NONE, "monitor", "calm", "1", decided_at=later))
    store.write_flow_run("train", seconds=2.0, at=later)
    store.write_flow_run("monitor", seconds=2.0, at=moment + CLOCK_SKEW - timedelta(minutes=1))
    store.close()
    said = [text.split(" is of ")[0] for text in find_status(settings).problems if "is this clock right?" in text]
    ahead = f"{later:%Y-%m-%d %H:%M} UTC, which is still to come: is this clock right?"
    assert said == ["the newest prediction", "the newest decision of the monitor", f"the flow train last ended at {ahead}"]


def test_parts_on_other_machines_are_asked_there(monkeypatch, settings):
    elsewhere = {name: f"http://127.0.0.1:{free_port()}" for name in ("service", "exporter", "evidently")}
    for name, address in elsewhere.items():
        monkeypatch.setenv(f"CHURN_{name.upper()}_URL", address)
    told = {part.name: part.address for part in find_status(load_settings()).parts}
    assert {name: told[name] for name in elsewhere} == elsewhere


def test_the_api_key_goes_to_the_service_and_to_nobody_else(monkeypatch, settings):
    asked: dict[str, list[str | None]] = {}

    def answer_as(name: str):
        def answer(request: Asked) -> Answer:
            asked.setdefault(name, []).append(request.headers.get("x-api-key"))
            return Answer(b"{}" if name in ("service", "mlflow") else b"[]")

        return answer

    monkeypatch.setenv("CHURN_API_KEY", "secret")
    with ExitStack() as servers:
        urls = {name: servers.enter_context(web_server(answer_as(name))) for name in PARTS}
        monkeypatch.setenv("CHURN_TRACKING_URI", urls["mlflow"])
        monkeypatch.setenv("PREFECT_API_URL", urls["prefect"])
        for name in ("service", "exporter", "evidently"):
            monkeypatch.setenv(f"CHURN_{name.upper()}_URL", urls[name])
        found = find_status(load_settings())
    assert {part.name for part in found.parts if part.up} >= set(PARTS)
    assert set(asked.pop("service")) == {"secret"}
    assert {name: set(keys) for name, keys in asked.items()} == {name: {None} for name in PARTS if name != "service"}


def answered(**known: Answer):
    """Give the status when a service answers each path so."""

    def answer(request: Asked) -> Answer:
        return known.get(request.path.strip("/"), Answer(b"{}", 404))

    return web_server(answer)


@pytest.mark.parametrize(
    ("ready", "up", "problem"),
    [
        (Answer(b'{"log": "store"}', kind="application/json"), True, ""),
        (Answer(b'{"log": "spool"}', kind="application/json"), True, "the store is away: predictions wait on disk"),
        (Answer(b'{"errors": [{"problem": "no model"}]}', 503, kind="application/problem+json"), False, "no model"),
        (Answer(b"{}", 503, kind="application/json"), False, "answers 503"),
        (Answer(b"<html>", 502), False, "answers 502"),
    ],
)
def test_what_the_service_says_of_itself_is_told(monkeypatch, settings, ready, up, problem):
    model = {"version": "3", "simulated": True, "metrics": {"roc_auc": 0.9}}
    with answered(readyz=ready, model=Answer(json.dumps(model).encode())) as url:
        monkeypatch.setenv("CHURN_SERVICE_URL", url)
        found = find_status(load_settings())
    (service,) = (part for part in found.parts if part.name == "service")
    assert (service.up, service.problem) == (up, problem)
    assert (f"service: {problem}" in found.problems) == bool(problem)
    assert found.model is not None
    assert (found.model["version"], found.model["simulated"]) == ("3", True)
    assert "metrics" not in found.model


def test_the_next_run_of_each_flow_is_told_the_earliest_first(monkeypatch, settings):
    runs = [
        {"flow_id": flow, "expected_start_time": f"2026-03-01T{hour:02}:00:00+00:00"}
        for hour, flow in ((1, "b"), (2, "a"), (3, "b"))
    ]
    flows = [{"id": "a", "name": "train"}, {"id": "b", "name": "monitor"}]
    known = {"flow_runs/filter": Answer(json.dumps(runs).encode()), "flows/filter": Answer(json.dumps(flows).encode())}
    with answered(**known) as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        found = find_status(load_settings())
    assert [(run["flow"], run["at"].hour) for run in found.upcoming] == [("monitor", 1), ("train", 2)]


def test_a_healthy_system_is_told_on_one_screen(monkeypatch):
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    model = {
        "version": "3",
        "simulated": True,
        "loaded_at": "2026-03-01T11:00:00+00:00",
        "trained_at": "2026-02-27T12:00:00+00:00",
    }
    status = Status(
        at,
        [Part("service", "http://here", up=True), Part("evidently", "http://there", up=False, problem="[gone]")],
        model=model | {"trigger": "drift"},
        traffic={"last_hour": 1234, "at_least": True, "last_prediction_at": at - timedelta(seconds=5), "last_outcome_at": None},
        decisions=[
            {"kind": "gate", "action": "promote", "actor": "flow", "model_version": "3", "reason": "better", "decided_at": at},
            {"kind": "policy", "action": "wait", "actor": "monitor", "model_version": None, "reason": "few", "decided_at": at},
        ],
        flows=[
            {
                "flow": "train",
                "last_failure": "",
                "last_seconds": 40.6,
                "succeeded": 2,
                "failed": 1,
                "last_ended_at": at - timedelta(hours=2),
            },
            {
                "flow": "monitor",
                "last_failure": "x",
                "last_seconds": 2,
                "succeeded": 0,
                "failed": 1,
                "last_ended_at": at + timedelta(hours=2),
            },
        ],
        upcoming=[{"flow": "monitor", "at": at + timedelta(minutes=5)}],
    )
    monkeypatch.setattr("pipelines.local.status.find_status", lambda _settings: status)
    shown = CliRunner().invoke(app, ["status"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert lines[0] == "healthy at 2026-03-01 12:00:00 UTC"
    for line in (
        "service up http://here",
        "evidently down http://there [gone]",
        "model version 3, trained 2 days ago (drift), of simulated customers, in service for 60 min",
        "traffic more than 1,234 predictions in the last hour; last logged: as of 2026-03-01 11:59 UTC, 5 s ago",
        "monitor has not run yet",
        "flow train ended well 2 h ago after 41 s; 2 well, 1 failed so far",
        "flow monitor failed 0 s ago after 2 s; 0 well, 1 failed so far",
        "next monitor in 5 min (2026-03-01 12:05 UTC)",
        "03-01 12:00 gate: promote flow 3 better",
        "03-01 12:00 policy: wait monitor few",
    ):
        assert line in lines
    bare = replace(status, model=model | {"simulated": False, "loaded_at": None, "trigger": "hand"}, traffic=None, monitor=None)
    monkeypatch.setattr("pipelines.local.status.find_status", lambda _settings: bare)
    said = CliRunner().invoke(app, ["status"])
    assert "simulated" not in said.stdout
    assert "in service for" not in said.stdout
    assert "has not run yet" not in said.stdout


@pytest.mark.parametrize(
    ("deployment", "problem"),
    [
        (Answer(b'{"status": "READY", "last_polled": "2026-03-01T01:00:00Z"}'), ""),
        (Answer(b'{"status": "NOT_READY", "last_polled": "2026-03-01T01:00:00Z"}'), "since 2026-03-01T01:00:00Z"),
        (Answer(b'{"status": "NOT_READY", "last_polled": null}'), "since prefect started"),
        (Answer(b"{}", 404), "yet: churn up starts one"),
    ],
)
def test_flows_that_nobody_runs_are_a_problem(monkeypatch, settings, deployment, problem):
    with answered(**{"deployments/name/train/retrain": deployment, "health": Answer(b"true")}) as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        found = find_status(load_settings())
    (runner,) = (part for part in found.parts if part.name == "flows")
    assert runner.up == (not problem)
    assert runner.problem.endswith(problem)
    assert (f"flows: {runner.problem}" in found.problems) == bool(problem)


def test_another_program_at_a_parts_address_is_told_and_breaks_nothing(monkeypatch, settings):
    with web_server(lambda _asked: Answer(b"<html>hello</html>")) as url:
        for name in ("CHURN_SERVICE_URL", "PREFECT_API_URL"):
            monkeypatch.setenv(name, url)
        found = find_status(load_settings())
    problems = {part.name: part.problem for part in found.parts}
    assert problems["service"] == "another program answers there"
    assert problems["flows"]
    assert (found.model, found.upcoming) == (None, [])
