"""`churn train`, up to where a training would start."""

from __future__ import annotations

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
