"""Whom to call first, and how many: never one who is not worth it, never beyond the limit, and as many as both allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.campaigns.expected import Expected
from churn.campaigns.ranking import MAX_POINTS, Limit, gains_curve, number_of_calls, rank

MONEY = st.integers(-500, 500).map(lambda cents: cents / 100)
CUSTOMERS = st.lists(st.tuples(MONEY, st.integers(1, 500).map(lambda cents: cents / 100)), min_size=1, max_size=20)


@given(st.lists(MONEY, min_size=1, max_size=20))
def test_the_highest_gain_comes_first_and_of_equals_whoever_came_first(gain: list[float]) -> None:
    assert rank(np.array(gain)).tolist() == sorted(range(len(gain)), key=lambda at: -gain[at])


@given(CUSTOMERS, st.none() | st.integers(0, 25), st.none() | st.integers(0, 3_000))
def test_as_many_are_called_as_are_worth_it_and_within_the_limit(
    customers: list[tuple[float, float]], calls: int | None, cents: int | None
) -> None:
    gain, cost = (np.array(column) for column in zip(*customers, strict=True))
    order = rank(gain)
    budget = None if cents is None else cents / 100
    found = number_of_calls(Expected(np.zeros(len(gain)), cost, gain), order, Limit(calls, budget))
    expected, spent = 0, 0
    for at in order:
        spent += round(100 * cost[at])
        if gain[at] <= 0 or (calls is not None and expected == calls) or (cents is not None and spent > cents):
            break
        expected += 1
    assert found == expected


def test_a_budget_to_the_cent_is_spent() -> None:
    each = Expected(np.zeros(30), np.full(30, 0.1), np.ones(30))
    assert number_of_calls(each, np.arange(30), Limit(budget=0.3)) == 3, "though 0.1 + 0.1 + 0.1 is more than 0.3"


@pytest.mark.parametrize("customers", [1, 10, MAX_POINTS - 1, MAX_POINTS, 10 * MAX_POINTS])
def test_the_curve_goes_from_no_call_to_a_call_to_everybody_in_few_points(customers: int) -> None:
    gain = np.linspace(5, -5, customers)
    chosen = customers // 3
    curve = gains_curve(gain, chosen)
    assert (curve.calls[0], curve.gain[0], curve.calls[-1]) == (0, 0.0, customers)
    assert len(curve.calls) <= MAX_POINTS
    assert len(curve.calls) >= min(customers + 1, MAX_POINTS - 1)
    assert (np.diff(curve.calls) > 0).all()
    assert chosen in curve.calls
    assert curve.gain.tolist() == pytest.approx([gain[:calls].sum() for calls in curve.calls])
