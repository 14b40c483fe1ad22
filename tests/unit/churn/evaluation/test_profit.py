from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.stats import beta

from churn.config.params import ProfitParams
from churn.evaluation.profit import break_even, empc, profit_curve, profits

PARAMS = ProfitParams()
customers = st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=1, max_size=30)


def arrays(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([int(churned) for churned, _ in rows]), np.array([part / 21 for _, part in rows])


def test_each_customer_s_profit_by_hand() -> None:
    params = ProfitParams(customer_value=100, cost_of_offer=20, cost_of_contact=2, acceptance=0.5)
    earned = profits(np.array([1, 0, 1, 0]), np.array([0.5, 0.9, 0.4, 0.1]), 0.5, params)
    assert earned.tolist() == [0.5 * (100 - 20) - 2, -22, 0, 0]


@given(customers)
def test_threshold_zero_contacts_everybody_and_one_nobody(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    assert profits(outcome, probability, 0, PARAMS).sum() == pytest.approx(56 * outcome.sum() - 11 * (1 - outcome).sum())
    assert not profits(outcome, probability, 1, PARAMS).any()


@given(customers)
def test_the_curve_is_the_profit_of_each_of_its_thresholds(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    curve = profit_curve(outcome, probability, PARAMS)
    assert curve["threshold"].is_monotonic_decreasing
    assert (curve["contacted_share"].iloc[0], curve["contacted_share"].iloc[-1]) == (0, 1)
    for threshold, share, earned in curve.itertuples(index=False):
        assert np.mean(probability >= threshold) == pytest.approx(share)
        assert profits(outcome, probability, threshold, PARAMS).mean() == pytest.approx(earned)


@given(customers, st.floats(1, 100))
def test_a_dearer_contact_never_earns_more(rows: list[tuple[bool, int]], dearer: float) -> None:
    outcome, probability = arrays(rows)
    dear = PARAMS.model_copy(update={"cost_of_contact": PARAMS.cost_of_contact + dearer})
    difference = profit_curve(outcome, probability, PARAMS) - profit_curve(outcome, probability, dear)
    assert difference["profit_per_customer"].to_numpy() == pytest.approx(
        dearer * profit_curve(outcome, probability, PARAMS)["contacted_share"].to_numpy()
    )
    assert empc(outcome, probability, dear)[0] <= empc(outcome, probability, PARAMS)[0] + 1e-9


def test_a_contact_breaks_even_where_its_expected_profit_is_zero() -> None:
    p = break_even(PARAMS)
    assert p * 56 - (1 - p) * 11 == pytest.approx(0)
    assert break_even(ProfitParams(acceptance=0)) == 1


def best_profit(acceptance: float, outcome: np.ndarray, probability: np.ndarray, params: ProfitParams) -> float:
    """Of all thresholds, by trying each."""
    params = params.model_copy(update={"acceptance": acceptance})
    return max(float(profits(outcome, probability, threshold, params).mean()) for threshold in [*np.unique(probability), 2.0])


@pytest.mark.parametrize(
    "params",
    [
        PARAMS,
        ProfitParams(cost_of_contact=0, cost_of_offer=0),
        ProfitParams(customer_value=50, cost_of_offer=30, cost_of_contact=5, acceptance_alpha=2, acceptance_beta=3),
        ProfitParams(customer_value=11, cost_of_contact=100),
    ],
    ids=["default", "free", "dear", "hopeless"],
)
@pytest.mark.parametrize("levels", [5, 1000], ids=["ties", "no ties"])
def test_empc_is_the_integral_of_the_best_profit_over_the_acceptance(params: ProfitParams, levels: int) -> None:
    rng = np.random.default_rng(2)
    truth = rng.beta(1, 3, 60)
    outcome, probability = (rng.random(60) < truth).astype(int), np.round(truth * levels) / levels
    law = beta(params.acceptance_alpha, params.acceptance_beta)

    def weighted(acceptance: float) -> float:
        return best_profit(acceptance, outcome, probability, params) * float(law.pdf(acceptance))

    # The best profit has corners: parts keep the quadrature honest.
    parts = np.linspace(0, 1, 21)
    expected = sum(quad(weighted, low, high, limit=20, epsabs=1e-4)[0] for low, high in pairwise(parts))
    found, fraction = empc(outcome, probability, params)
    assert found == pytest.approx(expected, abs=2e-3)
    assert 0 <= fraction <= 1


def test_empc_s_fraction_is_whom_the_best_thresholds_contact_on_average() -> None:
    outcome, probability = np.array([1, 0, 0, 1, 0]), np.array([0.9, 0.7, 0.5, 0.4, 0.1])
    law = beta(6, 14)
    # By hand: the first always pays (from 1/190 on); the next three pay together where one churner is worth three contacts and
    # two gifts, 190 a = 3 + 20; the last, a gift, never.
    first, three = 1 / 190, 23 / 190
    found, fraction = empc(outcome, probability, PARAMS)
    assert fraction == pytest.approx(0.2 * law.sf(first) + 0.6 * law.sf(three))
    assert found == pytest.approx(
        sum(
            quad(lambda a, start=start, cost=cost: (190 * a - cost) / 5 * float(law.pdf(a)), start, 1)[0]
            for start, cost in ((first, 1), (three, 23))
        )
    )


@pytest.mark.parametrize("level", [0, 1])
def test_empc_of_one_class_is_known(level: int) -> None:
    found, fraction = empc(np.full(4, level), np.array([0.1, 0.2, 0.3, 0.3]), PARAMS)
    assert (found, fraction) == ((0, 0) if level == 0 else (pytest.approx(190 * 0.3 - 1, rel=1e-3), pytest.approx(1, abs=1e-6)))


def test_an_offer_dearer_than_the_customer_is_refused() -> None:
    with pytest.raises(ValidationError, match="customer_value must be above cost_of_offer"):
        ProfitParams(customer_value=10, cost_of_offer=10)
