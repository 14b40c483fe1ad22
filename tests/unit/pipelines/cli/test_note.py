"""`churn note`: the newest answer of a customer, in five lines."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.clock import now
from churn.store.store import Store
from pipelines import scoring as scoring_module
from pipelines.notes import language_model
from tests.integration.files_to_score import make_scorer
from tests.unit.churn.store.rows import prediction
from tests.unit.pipelines.cli.command import Churn, assert_one_line


@pytest.fixture(autouse=True)
def asked_versions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were loaded."""
    asked: list[str] = []

    def find(_settings: Any, contract: Any, version: str) -> Any:
        asked.append(version)
        scorer = make_scorer(version)
        return replace(scorer, model=replace(scorer.model, contract=contract))

    monkeypatch.setattr(scoring_module, "find_scorer", find)
    return asked


@pytest.fixture
def logged(churn: Churn) -> None:
    """Two answers about one customer, by two versions."""
    del churn
    store = Store.open("sqlite:///home/store.db")
    one = replace(prediction(1), customer_id="c-1", model_version="7", churn_probability=0.91, threshold=0.5)
    one = replace(one, features={"total_day_minutes": 300.0, "customer_service_calls": 6, "international_plan": True})
    old = replace(prediction(2), customer_id="c-1", model_version="6", requested_at=now() - timedelta(days=30))
    store.write_predictions([replace(one, requested_at=now()), old])
    store.close()


def test_the_newest_answer_is_told_by_the_version_that_gave_it(churn: Churn, logged: None, asked_versions: list[str]) -> None:
    said = churn("note", "c-1", "--json")
    assert said.code == 0, said.err
    assert asked_versions == ["7"]
    told = said.json
    assert (told["model_version"], told["churn_probability"], told["written_by"]) == ("7", 0.91, "template")
    assert len(told["note"]) == 5
    assert "probability of 91.0 %, at or above the threshold of 50.0 %" in told["note"][0]
    assert [line.lower().rstrip(".") for line in told["note"][1:3]] == [
        one["text"].lower() for one in told["reasons"] if one["contribution"] > 0
    ]
    plain = churn("note", "c-1")
    assert plain.out.splitlines() == told["note"]
    assert plain.err == ""


def test_a_customer_without_an_answer(churn: Churn, logged: None) -> None:
    assert_one_line(churn("note", "c-2"), 2, "'c-2'", "no prediction in the store")
    assert_one_line(churn("note", ""), 2, "stands for nobody")


def test_a_language_model_is_asked_and_its_fault_is_said(
    churn: Churn, logged: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "m.gguf").touch()
    os.environ["CHURN_LLM_MODEL"] = str(tmp_path / "m.gguf")
    heard: list[str] = []

    def rewrite(facts: list[str], model: Path, timeout_seconds: float) -> str:
        heard.extend([*facts, model.name, str(timeout_seconds)])
        return "Call them within 48 hours."

    monkeypatch.setattr(language_model, "rewrite", rewrite)
    said = churn("note", "c-1")
    assert said.code == 0
    assert len(said.out.splitlines()) == 5
    assert "in the template's words, for the model's note has 1 lines, not 5" in said.err
    assert heard[-2:] == ["m.gguf", "60.0"]
    assert "c-1" not in "".join(heard)
    assert churn("note", "c-1", "--template").err == ""


def test_a_model_that_is_no_file(churn: Churn, logged: None) -> None:
    os.environ["CHURN_LLM_MODEL"] = "gone.gguf"
    assert_one_line(churn("note", "c-1"), 2, "CHURN_LLM_MODEL", "gone.gguf is no file")
