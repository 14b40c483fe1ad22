"""`churn evaluate` says of which file its figures are too good."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from churn.contract import Contract
from churn.modeling.model import Model, ModelInfo, build_pipeline
from churn.simulation.simulate import simulate
from tests.unit.pipelines.cli.command import Churn


@pytest.mark.parametrize(
    ("trained_on", "warned"),
    [
        ("our people.csv", True),
        ("our people.csv + 40 labelled predictions", True),
        ("the newest 90 of our people.csv + 40 labelled predictions", True),
        ("others.csv", False),
        ("more-our people.csv", False),
    ],
)
def test_a_file_that_was_trained_on_is_named(
    churn: Churn, contract: Contract, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trained_on: str, warned: bool
) -> None:
    drawn = simulate(contract, 120, seed=3)
    file = tmp_path / "our people.csv"
    pd.concat([drawn.features, drawn.outcome.rename(contract.target.column)], axis=1).to_csv(file, index=False)
    features = contract.numeric_features
    info = ModelInfo(
        name="churn",
        version="3",
        trained_at=datetime(2026, 1, 2, tzinfo=UTC),
        data_digest="d",
        data_source=trained_on,
        rows=120,
        contract=contract.name,
        contract_digest=contract.digest,
        features=features,
        threshold=0.2,
    )
    fitted = build_pipeline(3, form="plain", contract=contract).fit(drawn.features[features], drawn.outcome)
    registry = SimpleNamespace(load=lambda _version: Model(fitted, info))
    monkeypatch.setattr("pipelines.cli.models.commands.open_registry", lambda: registry)
    said = churn("evaluate", file, "--json")
    assert said.json["model_version"] == "3"
    assert ("version 3 was trained on customers of our people.csv" in said.err) == warned
