"""`churn train`, but for the training itself."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.pipelines.cli.command import Churn, assert_one_line


def test_training_without_data_is_one_line_and_exit_2(churn: Churn) -> None:
    assert_one_line(churn("train"), 2, "churn data pull")
    assert_one_line(churn("train", "--data", "nothing.csv"), 2, "nothing.csv")


def test_a_network_without_pytorch_is_one_line_before_anything_starts(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churn.modeling.deep.network.find_spec", lambda _name: None)
    said = churn("train", "--form", "deep", "--data", "nothing.csv")
    assert_one_line(said, 2, "form deep needs the extra `deep`", "pip install --editable '.[deep]'")
    assert_one_line(churn("train", "--form", "terms", "--data", "nothing.csv"), 2, "nothing.csv")
    assert "terms" in churn("train", "--form", "wide").err


def test_a_first_model_is_trained_only_once(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.local.system.find_champion", lambda _settings: "3")
    said = churn("train", "--if-none", "--json")
    assert said.json == {"version": "3", "promoted": False, "reason": "there is a champion already"}
    assert "version 3 is champion" in churn("train", "--if-none").out
    monkeypatch.setattr("pipelines.local.system.find_champion", lambda _settings: None)
    assert_one_line(churn("train", "--if-none"), 2, "churn data pull")


@pytest.mark.parametrize("promoted", [True, False])
def test_the_verdict_and_what_was_left_out_of_the_search_are_told(
    churn: Churn, customers: Path, monkeypatch: pytest.MonkeyPatch, promoted: bool
) -> None:
    result: dict[str, Any] = {
        "version": "4",
        "promoted": promoted,
        "reason": "log loss lower by .01",
        "cleared": ["a run that was killed was cleared away"],
        "reduced": ["400 of 900 columns were tried", "the search saw 15,000 of 50,000 customers"],
    }
    # The real one imports Prefect and scikit-learn, which takes seconds.
    monkeypatch.setitem(sys.modules, "pipelines.flows.train", SimpleNamespace(train_once=lambda *_args, **_named: result))
    # Nothing asks this Prefect, so none need be there.
    monkeypatch.setattr("pipelines.cli.train.use_local_prefect", lambda _settings: None)
    said = churn("train", "--data", customers)
    assert said.code == 0
    assert said.out.splitlines() == [
        f"version 4 {'promoted' if promoted else 'not promoted'}: log loss lower by .01",
        "to train within minutes, 400 of 900 columns were tried",
        "to train within minutes, the search saw 15,000 of 50,000 customers",
    ]
    assert "a run that was killed was cleared away" in said.err
    assert churn("train", "--data", customers, "--json").json == result
