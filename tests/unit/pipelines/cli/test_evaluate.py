"""`churn evaluate`: the scorecard with intervals and slices, for people and for scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churn.clock import now
from churn.contract import Contract
from churn.modeling.model import Model, ModelInfo
from churn.simulation.simulate import simulate, write_csv
from pipelines.cli.models import commands as model_commands


@dataclass
class OneModel:
    """A registry of one version."""

    model: Model

    def load(self, version: str) -> Model:
        assert version == "7"
        return self.model


@pytest.fixture(scope="module")
def model(contract: Contract) -> Model:
    customers, features = simulate(contract, 600, 1), contract.numeric_features
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(customers.features[features], customers.labelled)
    info = ModelInfo(
        name="churn",
        version="7",
        trained_at=now(),
        data_digest="",
        data_source="",
        rows=600,
        contract=contract.name,
        contract_digest=contract.digest,
        features=features,
        threshold=0.2,
    )
    return Model(pipeline, info)


@pytest.fixture
def file(contract: Contract, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_commands, "open_registry", lambda: OneModel(model))
    path = tmp_path / "customers.csv"
    write_csv(simulate(contract, 500, 2), contract, path)
    (tmp_path / "params.yaml").write_text("evaluation: {resamples: 100, confidence: 0.9}")
    monkeypatch.setenv("CHURN_PARAMS", str(tmp_path / "params.yaml"))
    return path


def test_scripts_get_scores_intervals_and_slices(file: Path, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    model_commands.evaluate(file, "7", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["model_version"], said["rows"], said["threshold"]) == ("7", 500, model.info.threshold)
    low, high = said["intervals"]["roc_auc"]
    assert low < said["roc_auc"] < high
    assert (said["confidence"], said["currency"]) == (0.9, "USD")
    assert {row["column"] for row in said["slices"]} >= {"voice_mail_plan", "area_code"}
    assert {row["column"] for row in said["gaps"]} >= {"voice_mail_plan", "area_code"}
    assert any(note.startswith("international_plan") for note in said["notes"])


def test_people_get_tables_that_fit(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model_commands.evaluate(file, "7")
    said = capsys.readouterr().out
    for words in (
        *("version 7 on", "90% interval", "roc_auc", "profit (USD per customer)"),
        *("voice_mail_plan: Yes", "calibration gap", "demographic parity", "international_plan: 47 of 500"),
    ):
        assert words in said
    assert max(map(len, said.splitlines())) <= 200
