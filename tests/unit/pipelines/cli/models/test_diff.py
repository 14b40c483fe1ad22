"""`churn model diff`: tables for people, everything for scripts, one line for what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.clock import now
from churn.contract import Contract
from churn.errors import NoVersion
from churn.modeling.model import Model, ModelInfo, build_pipeline
from churn.simulation.simulate import simulate
from pipelines.cli.models import diff as model_diff
from tests.unit.pipelines.cli.command import Churn, assert_one_line


class Registry:
    """Versions 1 and 2, the champion."""

    def __init__(self, contract: Contract) -> None:
        self.models = {}
        for version, seed in (("1", 5), ("2", 6)):
            drawn, features = simulate(contract, 400, seed), contract.numeric_features
            pipeline = build_pipeline(3, form="plain").fit(drawn.features[features], drawn.labelled)
            info = ModelInfo(
                name="churn",
                version=version,
                trained_at=now(),
                data_digest=version,
                data_source="s",
                rows=400,
                contract=contract.name,
                contract_digest=contract.digest,
                features=features,
                threshold=0.2,
            )
            self.models[version] = Model(pipeline, info)

    def load_judged(self, version: str) -> Model:
        number = "2" if version == "champion" else version
        if number not in self.models:
            raise NoVersion(f"there is no version {version!r} of model 'churn'; train one with: churn train")
        return self.models[number]


@pytest.fixture(autouse=True)
def registry(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(contract)
    monkeypatch.setattr(model_diff, "open_registry", lambda: made)
    return made


def test_people_read_tables_that_fit(churn: Churn, customers: Path) -> None:
    said = churn("model", "diff", "1", "champion", "--data", customers, "--top", 4)
    assert said.code == 0, said.err
    for words in (
        *("version 1", "version 2", "held-out customers", "95% interval", "log loss by slice"),
        *("mean contribution of a column", "terms:", "only by version 1", "largest changes", "why: log-odds"),
        "may have been trained on some of those held out",
    ):
        assert words in said.out
    assert max(map(len, said.out.splitlines())) <= 200


def test_scripts_get_everything(churn: Churn, customers: Path) -> None:
    said = churn("model", "diff", "1", "2", "--data", customers, "--json", "--top", 2).json
    assert (said["first"]["version"], said["second"]["version"]) == ("1", "2")
    assert said["labelled"] == 300
    assert {"scores", "slices", "columns", "terms", "named", "changes", "notes", "confidence"} <= set(said)
    assert len(said["changes"]) == 2
    assert set(said["changes"][0]["reasons"][0]) == {"feature", "value", "first", "second"}
    assert set(said["scores"][0]) == {"measure", "first", "second", "difference", "low", "high"}


def test_what_cannot_be_compared_is_one_line(churn: Churn, customers: Path, registry: Registry) -> None:
    assert_one_line(churn("model", "diff", "1", "7", "--data", customers), 2, "there is no version '7'")
    assert_one_line(churn("model", "diff", "2", "champion", "--data", customers), 2, "both are version 2", "name two versions")
    assert_one_line(churn("model", "diff", "1", "2", "--data", "none.csv"), 2, "none.csv")
    known = registry.models["1"]
    registry.models["1"] = Model(known.pipeline, known.info.model_copy(update={"contract": "bank"}))
    assert_one_line(churn("model", "diff", "1", "2", "--data", customers), 2, "'bank'", "set CHURN_CONTRACT")
