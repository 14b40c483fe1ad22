"""A model as data: it comes back from JSON as it went, and its digest stands for all that has a say in an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from churn.batch import model as model_module
from churn.batch.model import Scorer, ScoringModel, scorer_of
from churn.campaigns.control_group import ControlGroup
from churn.config.params import ProfitParams
from churn.customers.validation import CustomerRules
from tests.integration.files_to_score import make_scorer
from tests.unit.service.fakes import make_model, with_segments

MODEL = make_scorer().model
SEGMENTS: Any = with_segments(make_model()).info.segments


def test_json_and_back_is_the_same_model() -> None:
    chosen = replace(MODEL, control=ControlGroup(0.25, "k"), segments=SEGMENTS.model_dump(mode="json"))
    assert ScoringModel.from_json(chosen.to_json()).to_json() == chosen.to_json()
    back = ScoringModel.from_json(chosen.to_json())
    assert (back.control, back.contract, back.segments) == (chosen.control, chosen.contract, chosen.segments)
    assert back.digest == chosen.digest
    assert scorer_of(chosen.to_json()) is scorer_of(chosen.to_json()), "made once, however many parts it scores"


def test_the_digest_changes_with_an_answer_and_with_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {MODEL.digest}
    changes: list[dict[str, Any]] = [
        {"name": "other"},
        {"version": "77"},
        {"run_id": "other"},
        {"threshold": 0.25},
        {"compiled": None},
        {"control": ControlGroup(0.5)},
        {"segments": SEGMENTS.model_dump(mode="json")},
    ]
    digests |= {replace(MODEL, **change).digest for change in changes}
    assert len(digests) == 1 + len(changes)
    assert {len(digest) for digest in digests} == {16}
    assert replace(MODEL, profit=ProfitParams(acceptance=0.123), known_segments=SEGMENTS).digest == MODEL.digest
    monkeypatch.setattr(model_module, "code_digest", lambda: "other code")
    assert replace(MODEL).digest not in digests


def test_what_is_not_compiled_needs_somebody_who_scores() -> None:
    bare = replace(MODEL, compiled=None, version="9")
    with pytest.raises(ValueError, match="version 9 is not compiled"):
        Scorer.of(bare)
    scorer = Scorer.of(bare, lambda customers: np.zeros(len(customers)))
    assert isinstance(scorer.rules, CustomerRules)
    assert scorer.segmenter is None
    assert Scorer.of(MODEL).segmenter is None
    named = Scorer.of(replace(MODEL, segments=SEGMENTS.model_dump(mode="json"))).segmenter
    assert named is not None
    assert list(named.names) == list(SEGMENTS.names)
