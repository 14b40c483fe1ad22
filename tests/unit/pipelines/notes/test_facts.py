from __future__ import annotations

from typing import Any

import pytest

from churn.contract import Contract
from pipelines.notes.facts import MAX_LOWERING, MAX_RAISING, Facts


def reason(contribution: float) -> dict[str, Any]:
    return {"feature": "state", "value": "NJ", "contribution": contribution, "text": f"{contribution:g}"}


REASONS = [reason(one) for one in (3.0, -2.5, 2.0, 0.0, -1.0, 0.5, 0.25)]


def test_the_strongest_of_each_side_are_chosen_in_their_order(contract: Contract) -> None:
    facts = Facts.of(contract, 0.9, 0.5, REASONS)
    assert [one["contribution"] for one in facts.raising] == [3.0, 2.0]
    assert [one["contribution"] for one in facts.lowering] == [-2.5]
    assert facts.reasons == facts.raising + facts.lowering
    assert (len(facts.raising), len(facts.lowering)) == (MAX_RAISING, MAX_LOWERING)


def test_what_has_no_weight_is_no_reason(contract: Contract) -> None:
    facts = Facts.of(contract, 0.9, 0.5, [reason(0.0)])
    assert facts.reasons == ()


@pytest.mark.parametrize(("probability", "churn"), [(0.51, True), (0.5, True), (0.49, False)])
def test_the_answer_is_that_of_the_threshold(contract: Contract, probability: float, churn: bool) -> None:
    facts = Facts.of(contract, probability, 0.5, [])
    assert facts.churn is churn
    assert (facts.customer, facts.event) == (contract.customer, contract.target.event)
