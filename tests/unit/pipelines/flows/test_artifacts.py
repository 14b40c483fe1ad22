"""Artifacts in Prefect: what the gate and a monitoring run found, for whoever looks there; without Prefect, nothing is lost."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from churn.config.settings import Settings
from churn.config.ui_links import EVIDENTLY_PROJECT
from churn.lifecycle.gate import GateDecision
from churn.store.records import DecisionAction
from monitoring.run_result import RetrainDecision
from pipelines.flows import artifacts
from tests.unit.monitoring.results import make_result

CHECKS = {
    "better_log_loss": {"passed": False, "value": 0.001, "limit": 0.0, "sentence": "not better", "detail": {}},
    "calibrated": {"passed": True, "value": 0.01, "limit": 0.1, "sentence": "well calibrated", "detail": {}},
}
REJECTED = GateDecision(False, "not better", {"checks": CHECKS})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any, str, str]]:
    """What would be sent to Prefect: key, table or link, words."""
    sent: list[tuple[str, Any, str, str]] = []
    monkeypatch.setattr(artifacts, "flow_run", SimpleNamespace(id="run-1"))
    monkeypatch.setattr(artifacts, "get_run_logger", lambda: logging.getLogger("flow"))
    monkeypatch.setattr(
        artifacts, "create_table_artifact", lambda table, key, description: sent.append((key, table, "", description))
    )
    monkeypatch.setattr(
        artifacts, "create_link_artifact", lambda link, text, key, description: sent.append((key, link, text, description))
    )
    return sent


def test_each_check_of_the_gate_is_a_row_and_the_version_a_link(tmp_path: Path, made: list[tuple[str, Any, str, str]]) -> None:
    artifacts.publish_gate(Settings(home=tmp_path, mlflow_port=5050), "7", REJECTED, promoted=False)
    (key, table, _, said), (link_key, link, text, _) = made
    assert (key, said) == ("gate", "Version 7 is not promoted: not better")
    assert [(row["check"], row["passed"], row["what was found"]) for row in table] == [
        ("better_log_loss", "NO", "not better"),
        ("calibrated", "yes", "well calibrated"),
    ]
    assert (link_key, text) == ("model-version", "version 7 in MLflow")
    assert link == "http://127.0.0.1:5050/#/models/churn/versions/7?workflowType=machine_learning"


def test_a_password_of_the_registry_is_in_no_link(tmp_path: Path, made: list[tuple[str, Any, str, str]]) -> None:
    settings = Settings(home=tmp_path, tracking_uri="http://ada:secret@mlflow.example:5000")
    artifacts.publish_gate(settings, "7", REJECTED, promoted=True)
    assert "secret" not in str(made)
    assert "Version 7 is champion" in made[0][3]


def test_a_monitoring_run_is_its_decision_what_it_judged_and_what_drifted(
    tmp_path: Path, made: list[tuple[str, Any, str, str]]
) -> None:
    result = make_result(action=DecisionAction.RETRAIN, policy=RetrainDecision(DecisionAction.RETRAIN, "so it is"))
    (tmp_path / "evidently" / str(EVIDENTLY_PROJECT)).mkdir(parents=True)
    artifacts.publish_monitoring_run(Settings(home=tmp_path), result)
    (key, table, _, said), (_, link, _, _) = made
    assert (key, said) == ("monitoring-run", "retrain: so it is")
    assert (table[0]["what"], table[0]["found"]) == ("decision", "retrain")
    assert [row["found"] for row in table[1:3]] == [result.rows, result.labelled_rows]
    assert len(table) == 3 + len(result.news)
    assert link.endswith(f":8085/projects/{EVIDENTLY_PROJECT}")


def test_outside_of_a_run_nothing_is_sent(
    tmp_path: Path, made: list[tuple[str, Any, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "flow_run", SimpleNamespace(id=None))
    artifacts.publish_gate(Settings(home=tmp_path), "7", REJECTED, promoted=False)
    assert made == []


def test_a_server_that_is_away_is_asked_once_and_told_of(
    tmp_path: Path,
    made: list[tuple[str, Any, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(artifacts, "create_table_artifact", away)
    artifacts.publish_gate(Settings(home=tmp_path), "7", REJECTED, promoted=False)
    assert made == [], "no second one is tried"
    assert "Prefect shows no artifacts of this run: gone" in caplog.text
