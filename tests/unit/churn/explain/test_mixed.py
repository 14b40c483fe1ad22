"""A term over sums: what columns add is shared out whole, in the order in which the model adds up."""

from __future__ import annotations

import pytest

from churn.explain.interpolation import Blend
from churn.explain.mixed import UNCHANGED, total_of
from churn.explain.rule_bits import PlannedRule

TYPICAL, KNOWN = [1.0, 2.0, 3.0], [1.0, 5.0, 2.0]


def test_a_total_is_added_up_in_the_order_of_its_parts() -> None:
    values = [0.1, 0.2, 0.3]
    assert total_of((0, 1, 2), values) == (0.1 + 0.2) + 0.3
    assert total_of((2, 1, 0), values) == (0.3 + 0.2) + 0.1
    assert total_of((), values) == 0.0


@pytest.mark.parametrize(("low", "high"), [(0.0, 100.0), (6.5, 7.0), (0.0, 7.5), (9.0, 10.0), (-float("inf"), float("inf"))])
def test_the_shares_of_a_clipped_sum_add_up_to_its_difference(low: float, high: float) -> None:
    mixed = Blend([(0, 1, 2)], TYPICAL).mix(KNOWN)
    difference, shares = mixed.ramp(low, high)
    assert difference == pytest.approx(min(max(8.0, low), high) - min(max(6.0, low), high))
    assert sum(share for _, share in shares) == pytest.approx(difference)
    assert {at for at, _ in shares} == {1, 2}, "a column with the typical value has no share"


@pytest.mark.parametrize(
    ("low", "high", "gain"),
    [(7.0, 10.0, 2.0), (5.0, 6.5, -2.0), (5.0, 10.0, 0.0), (20.0, 30.0, 0.0)],
    ids=["holds for the customer", "holds for the typical one", "holds for both", "holds for nobody"],
)
def test_the_parts_of_a_rule_over_a_sum_add_up_to_its_gain(low: float, high: float, gain: float) -> None:
    rule = PlannedRule(2.0, 0, (), (), 0, ((0, low, high),), ())
    outcome = Blend([(0, 1, 2)], TYPICAL).mix(KNOWN).outcome(rule, 0)
    assert outcome.gain == pytest.approx(gain)
    assert sum(part for _, part in outcome.parts) == pytest.approx(gain)
    assert (low < 20.0) or outcome == UNCHANGED
