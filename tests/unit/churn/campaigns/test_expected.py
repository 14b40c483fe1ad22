"""What a call brings: the same line between worth it and not as the threshold's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from churn.campaigns.expected import expect
from churn.config.params import ProfitParams
from churn.evaluation.profit import break_even, profits

MONEY = st.floats(0, 1_000, allow_nan=False)
SHARE = st.floats(0, 1, allow_nan=False)


@given(SHARE, MONEY, MONEY, SHARE, st.floats(0.01, 5_000))
def test_a_gain_is_the_mean_profit_of_those_who_leave_and_those_who_stay(
    probability: float, offer: float, contact: float, acceptance: float, more: float
) -> None:
    value = offer + more
    params = ProfitParams(customer_value=value, cost_of_offer=offer, cost_of_contact=contact, acceptance=acceptance)
    leaves, stays = profits(np.array([1, 0]), np.array([1.0, 1.0]), 0.5, params)
    usual = ProfitParams(customer_value=offer + 123.0, cost_of_offer=offer, cost_of_contact=contact, acceptance=acceptance)
    for asked in (params, usual):
        found = expect(np.array([probability]), np.array([value]), asked)
        np.testing.assert_allclose(found.gain, probability * leaves + (1 - probability) * stays, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(found.saved * value - found.cost, found.gain, rtol=1e-9, atol=1e-6)
        taken = probability * acceptance + 1 - probability
        np.testing.assert_allclose(found.cost, contact + offer * taken, rtol=1e-9, atol=1e-6)


def test_a_call_pays_above_the_break_even() -> None:
    params = ProfitParams()
    around = break_even(params) + np.array([-1e-6, 1e-6])
    assert (expect(around, np.full(2, 200.0), params).gain > 0).tolist() == [False, True]
