from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from churn.config.settings import Settings, load_settings
from churn.store.records import Decision, DecisionAction, DecisionKind, Prediction
from churn.store.store import Store
from pipelines.cli.main import app
from pipelines.local.status import find_status
from pipelines.local.supervisor import free_port

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
    assert {part["name"] for part in told["parts"]} == {"service", "mlflow", "prefect", "exporter", "evidently", "store"}
    assert not any(part["up"] for part in told["parts"])
    # Nothing waits for Evidently's pages.
    assert [text.split(":")[0] for text in told["problems"]] == ["service", "mlflow", "prefect", "exporter", "store"]
    assert not settings.home.exists()


def test_what_is_remembered_is_told_while_the_rest_is_down(settings):
    settings.home.mkdir()
    store = Store.open(settings.store_url)
    moment = datetime.now(UTC)
    asked = [Prediction(f"p{n}", None, moment - timedelta(minutes=50 * n), "1", 0.2, 0.5, False, {}) for n in range(3)]
    store.write_predictions(asked)
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "500 predictions [drifted]", "1"))
    store.write_flow_run("train", seconds=41.0, failure="no data")
    store.close()

    found = find_status(settings)
    assert found.traffic is not None
    assert found.traffic["last_hour"] == 2
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


def test_parts_on_other_machines_are_asked_there(monkeypatch, settings):
    elsewhere = {name: f"http://127.0.0.1:{free_port()}" for name in ("service", "exporter", "evidently")}
    for name, address in elsewhere.items():
        monkeypatch.setenv(f"CHURN_{name.upper()}_URL", address)
    told = {part.name: part.address for part in find_status(load_settings()).parts}
    assert {name: told[name] for name in elsewhere} == elsewhere
