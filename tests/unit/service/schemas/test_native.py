"""Bodies of our own: an outcome says what came true or what was wrong; batches have a limit; nothing unknown is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from churn.contract import load_contract
from churn.store.records import Outcome
from service.schemas.native import (
    OutcomeItem,
    OutcomesAnswer,
    OutcomesRequest,
    PredictionAnswer,
    ReadyAnswer,
    RequestModels,
    RollbackBody,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
NAMED = {"prediction_id": "p", "observed_at": "2026-01-02T00:00:00Z"}


def refused(model: Any, given: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as error:
        model.model_validate(given)
    return [(".".join(map(str, one["loc"])), one["msg"]) for one in error.value.errors(include_url=False)]


def test_an_outcome_is_what_was_said() -> None:
    later = datetime(2026, 5, 1, tzinfo=UTC)
    told: list[tuple[dict[str, Any], Outcome]] = [
        ({"prediction_id": "p", "churned": True}, Outcome(True, later, "p", None)),
        ({"customer_id": 7, "churned": False, "observed_at": NAMED["observed_at"]}, Outcome(False, AT, None, "7")),
        (NAMED | {"churned": False, "corrects": True}, Outcome(False, AT, "p", None, corrects=True)),
        (NAMED | {"withdrawn": True}, Outcome(False, AT, "p", None, withdrawn=True)),
        (NAMED | {"churned": True, "corrects": False, "withdrawn": False}, Outcome(True, AT, "p", None)),
    ]
    for given, outcome in told:
        assert OutcomeItem.model_validate(given).to_outcome(later) == outcome


def test_an_outcome_that_contradicts_itself_is_refused() -> None:
    assert refused(OutcomeItem, {"prediction_id": "p"}) == [("churned", "Value error, is required: true or false")]
    assert refused(OutcomeItem, NAMED | {"withdrawn": True, "churned": False}) == [
        ("churned", "Value error, must be left out, as the outcome is withdrawn")
    ]
    assert "not both" in refused(OutcomeItem, NAMED | {"withdrawn": True, "corrects": True})[0][1]
    for word in ({"corrects": True, "churned": True}, {"withdrawn": True}):
        for left in ({"prediction_id": "p"}, {"customer_id": "c", "observed_at": NAMED["observed_at"]}):
            assert "needs prediction_id and observed_at" in refused(OutcomeItem, left | word)[0][1]
    for odd in (1, "true"):
        assert refused(OutcomeItem, {"prediction_id": "p", "churned": odd})[0][0] == "churned"
        assert refused(OutcomeItem, NAMED | {"churned": True, "corrects": odd})[0][0] == "corrects"
        assert "withdrawn" in dict(refused(OutcomeItem, NAMED | {"churned": True, "withdrawn": odd}))


def test_lists_have_at_least_one_and_batches_a_limit() -> None:
    assert refused(OutcomesRequest, {"outcomes": []})[0][0] == "outcomes"
    assert OutcomesAnswer(accepted=1, duplicates=0, unknown=[], conflicting=[]).corrected == 0
    models = RequestModels.from_contract(load_contract(), 2)
    one = {"total_day_minutes": 1.0}
    assert len(models.batch.model_validate({"customers": [one] * 2}).customers) == 2
    for wrong in ([], [one] * 3):
        assert refused(models.batch, {"customers": wrong})[0][0] == "customers"
    assert refused(models.batch, {"customers": [one], "other": 1})[0][0] == "other"
    assert isinstance(models.batch.model_validate({"customers": [one]}).customers[0], models.customer)


def test_a_rollback_says_why_and_may_name_what_it_leaves() -> None:
    assert RollbackBody.model_validate({"reason": "x"}).leaving is None
    assert RollbackBody.model_validate({"reason": "x" * 2_000, "leaving": "1" * 100}).leaving == "1" * 100
    wrong: list[dict[str, Any]] = [{"reason": ""}, {"reason": "x" * 2_001}, {"reason": 1}, {}]
    for given in wrong:
        assert refused(RollbackBody, given)[0][0] == "reason"
    for leaving in ("", "1" * 101, 1):
        assert refused(RollbackBody, {"reason": "x", "leaving": leaving})[0][0] == "leaving"


def test_answers_hold_probabilities_only() -> None:
    said: dict[str, Any] = {"prediction_id": "p", "customer_id": None, "churn": True, "action": "contact", "model_version": "1"}
    for least, most in ((0, 1), (1, 0)):
        found = PredictionAnswer.model_validate(said | {"churn_probability": least, "threshold": most})
        assert (found.segment, found.base_value, found.reasons, found.approximate) == (None, None, None, None)
    for name in ("churn_probability", "threshold"):
        for value in (-0.01, 1.01):
            assert refused(PredictionAnswer, said | {"churn_probability": 0.5, "threshold": 0.5, name: value})[0][0] == name
    assert ReadyAnswer(model_version="1", log="store").status == "ready"
