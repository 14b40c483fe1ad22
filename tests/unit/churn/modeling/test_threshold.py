from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.config.params import ProfitParams, ThresholdParams
from churn.evaluation.profit import break_even, profits
from churn.modeling.threshold import choose_threshold, highest_f1_threshold, most_profitable_threshold, threshold_for_top

PROFIT = ProfitParams()
customers = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=40)


def arrays(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([int(churned) for churned, _ in rows]), np.array([twentieths / 20 for _, twentieths in rows])


def earned(outcome: np.ndarray, probability: np.ndarray, threshold: float) -> float:
    return float(profits(outcome, probability, threshold, PROFIT).sum())


def test_the_threshold_of_profit_is_midway_between_who_pays_and_who_does_not() -> None:
    assert most_profitable_threshold(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.8]), PROFIT) == pytest.approx(
        0.35
    )


def test_one_churner_pays_for_five_gifts_but_not_for_six() -> None:
    # A churner brings 56, a gift costs 11.
    for gifts, threshold in ((5, 0.25), (6, 0.95)):
        outcome = np.array([0] * gifts + [1] + [0] * 5)
        probability = np.array([0.9] * gifts + [0.4] + [0.1] * 5)
        assert most_profitable_threshold(outcome, probability, PROFIT) == pytest.approx(threshold)


@given(customers)
def test_no_other_threshold_earns_more(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    chosen = most_profitable_threshold(outcome, probability, PROFIT)
    assert 0 <= chosen <= 1
    best = max(earned(outcome, probability, threshold) for threshold in [*np.unique(probability), 1.0])
    # Who is certain to churn can't be left out.
    if not (probability == 1).any():
        best = max(best, 0.0)
    assert earned(outcome, probability, chosen) == pytest.approx(best)


@given(customers)
def test_a_threshold_is_never_on_a_score_that_another_bit_would_move(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    inner = probability[(probability > 0) & (probability < 1)]
    for threshold in (
        most_profitable_threshold(outcome, probability, PROFIT),
        highest_f1_threshold(outcome, probability),
        threshold_for_top(probability, 0.3),
    ):
        assert not np.isclose(inner, threshold, atol=1e-6).any()


def test_of_cuts_that_earn_the_same_the_one_that_contacts_fewest_is_taken() -> None:
    even = ProfitParams(customer_value=120, cost_of_offer=20, cost_of_contact=0, acceptance=0.2)
    # Below the first customer a churner and a gift, who weigh each other up: 20 and -20.
    outcome, probability = np.array([1, 0, 1, 0]), np.array([0.9, 0.5, 0.4, 0.1])
    assert most_profitable_threshold(outcome, probability, even) == pytest.approx(0.7)


@pytest.mark.parametrize("highest", [0.3, 0.999])
def test_if_no_contact_pays_the_threshold_is_above_every_score_and_below_one(highest: float) -> None:
    threshold = most_profitable_threshold(np.zeros(3), np.array([0.1, 0.2, highest]), PROFIT)
    assert highest < threshold < 1


def test_if_every_contact_pays_everybody_is_contacted() -> None:
    probability = np.array([0.0, 0.2, 0.9])
    assert (probability >= most_profitable_threshold(np.ones(3), probability, PROFIT)).all()


def test_neighbouring_floats_are_told_apart() -> None:
    low = 0.5
    high = np.nextafter(low, 1)
    threshold = most_profitable_threshold(np.array([0, 1]), np.array([low, high]), PROFIT)
    assert low < threshold <= high


def test_on_calibrated_scores_the_threshold_is_where_a_contact_breaks_even() -> None:
    rng = np.random.default_rng(5)
    truth = rng.beta(1, 5, 200_000)
    outcome = (rng.random(len(truth)) < truth).astype(int)
    assert most_profitable_threshold(outcome, truth, PROFIT) == pytest.approx(break_even(PROFIT), abs=0.02)


@given(customers.filter(lambda rows: any(churned for churned, _ in rows)))
def test_no_other_threshold_has_a_higher_f1(rows: list[tuple[bool, int]]) -> None:
    outcome, probability = arrays(rows)
    answers = [probability >= threshold for threshold in [highest_f1_threshold(outcome, probability), *np.unique(probability)]]
    chosen, *others = (2 * (outcome * answer).sum() / (outcome.sum() + answer.sum()) for answer in answers)
    assert chosen == pytest.approx(max(others))


@given(customers, st.one_of(st.floats(0.01, 0.99), st.integers(1, 50)))
def test_a_budget_is_never_exceeded_and_used_as_far_as_equal_scores_allow(rows: list[tuple[bool, int]], budget: float) -> None:
    _, probability = arrays(rows)
    probability *= 0.9
    most = budget * len(rows) if budget < 1 else budget
    contacted = probability >= threshold_for_top(probability, budget)
    assert contacted.sum() <= most + 1e-6
    left = probability[~contacted]
    if len(left):
        assert contacted.sum() + (probability == left.max()).sum() > int(most + 1e-9)
        assert probability[contacted].min(initial=1.0) > left.max()


def test_shares_are_of_customers_and_not_lost_to_binary_fractions() -> None:
    probability = np.linspace(0.1, 0.9, 100)
    for share in (0.07, 0.29, 0.57):
        assert (probability >= threshold_for_top(probability, share)).sum() == round(share * 100)


def test_equal_scores_that_the_budget_does_not_hold_are_left_out() -> None:
    assert threshold_for_top(np.array([0.9, 0.5, 0.5, 0.1]), 2) == pytest.approx(0.7)
    assert threshold_for_top(np.full(4, 0.5), 2) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("params", "threshold"),
    [
        (ThresholdParams(), 0.25),
        (ThresholdParams(method="profit"), 0.25),
        (ThresholdParams(method="f1"), 0.55),
        (ThresholdParams(method="top_k", budget=0.5), 0.45),
        (ThresholdParams(method="top_k", budget=1), 0.75),
        (ThresholdParams(method="fixed", value=0.37), 0.37),
    ],
)
def test_the_threshold_is_chosen_as_the_params_say(params: ThresholdParams, threshold: float) -> None:
    outcome, probability = np.array([0, 1, 0, 0, 1, 1]), np.array([0.2, 0.3, 0.4, 0.5, 0.6, 0.9])
    assert choose_threshold(outcome, probability, params, PROFIT) == pytest.approx(threshold)
