from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from churn.evaluation import choose_threshold, evaluate, expected_calibration_error
from churn.params import ThresholdParams

F1 = ThresholdParams()


def test_a_case_worked_out_by_hand() -> None:
    # Churners got 0.9, 0.6, 0.2; the others 0.7, 0.3, 0.1, 0.1, 0.1. At 0.5: 2 found, 1 missed, 1 false alarm.
    outcome = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    probability = np.array([0.9, 0.6, 0.2, 0.7, 0.3, 0.1, 0.1, 0.1])
    card = evaluate(outcome, probability, 0.5)
    assert (card.true_positives, card.false_positives, card.false_negatives, card.true_negatives) == (2, 1, 1, 4)
    assert (card.rows, card.churn_rate, card.accuracy) == (8, 3 / 8, 6 / 8)
    assert (card.precision, card.recall) == (2 / 3, 2 / 3)
    assert card.f1 == pytest.approx(2 / 3)
    # Of 15 pairs of a churner and another, 5 + 4 + 3 are in order.
    assert card.roc_auc == pytest.approx(12 / 15)
    # Precision at each churner found: 1/1, 2/3, 3/5.
    assert card.pr_auc == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert card.brier == pytest.approx((0.01 + 0.16 + 0.64 + 0.49 + 0.09 + 0.03) / 8)
    logs = math.log(0.9) + math.log(0.6) + math.log(0.2) + math.log(0.3) + math.log(0.7) + 3 * math.log(0.9)
    assert card.log_loss == pytest.approx(-logs / 8)


def test_at_the_threshold_the_answer_is_churn() -> None:
    assert evaluate(np.array([0, 1]), np.array([0.2, 0.5]), 0.5).recall == 1.0


def test_nobody_flagged_and_nobody_churning_are_zeros_not_errors() -> None:
    silent = evaluate(np.array([0, 1]), np.array([0.1, 0.2]), 0.9)
    assert (silent.precision, silent.recall, silent.f1) == (0.0, 0.0, 0.0)
    calm = evaluate(np.array([0, 0]), np.array([0.1, 0.2]), 0.9)
    assert (calm.recall, calm.f1, calm.accuracy) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("level", [0, 1])
def test_with_one_class_ranking_is_unknown_and_the_rest_is_known(level: int) -> None:
    card = evaluate(np.array([level] * 4), np.full(4, float(level)) * 0.8 + 0.1, 0.5)
    assert math.isnan(card.roc_auc)
    assert math.isnan(card.pr_auc)
    assert card.brier == pytest.approx(0.01)
    assert card.log_loss == pytest.approx(-math.log(0.9))


def test_certainties_are_finite() -> None:
    card = evaluate(np.array([0, 1, 1]), np.array([0.0, 1.0, 0.0]), 0.5)
    assert math.isfinite(card.log_loss)
    assert card.brier == pytest.approx(1 / 3)


def test_metrics_carry_their_prefix() -> None:
    metrics = evaluate(np.array([0, 1]), np.array([0.1, 0.9]), 0.5).metrics("holdout_")
    assert metrics["holdout_roc_auc"] == 1.0
    assert metrics["holdout_true_positives"] == 1.0
    assert all(name.startswith("holdout_") and isinstance(value, float) for name, value in metrics.items())


def test_calibration_error_by_hand() -> None:
    # Two bins: 0.1 is said and 1 of 5 churns; 0.7 is said and 4 of 5 churn.
    outcome = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    probability = np.array([0.1] * 5 + [0.7] * 5)
    assert expected_calibration_error(outcome, probability, bins=2) == pytest.approx((0.1 * 5 + 0.1 * 5) / 10)


def test_calibration_error_of_the_truth_is_small_and_of_an_exaggeration_large() -> None:
    rng = np.random.default_rng(1)
    truth = rng.beta(1, 5, 20_000)
    outcome = (rng.random(20_000) < truth).astype(int)
    assert expected_calibration_error(outcome, truth) < 0.015
    assert expected_calibration_error(outcome, np.minimum(1, truth * 2)) == pytest.approx(truth.mean(), abs=0.03)


def test_fewer_customers_than_bins_still_have_a_calibration_error() -> None:
    assert expected_calibration_error(np.array([1, 0]), np.array([0.75, 0.25])) == pytest.approx(0.25)


def test_the_threshold_separates_what_can_be_separated() -> None:
    outcome, probability = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.8])
    assert choose_threshold(outcome, probability, F1) == 0.4


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 19)), min_size=4, max_size=40).filter(
        lambda rows: 0 < sum(churned for churned, _ in rows) < len(rows)
    )
)
def test_no_other_threshold_has_a_higher_f1(rows: list[tuple[bool, int]]) -> None:
    outcome = np.array([int(churned) for churned, _ in rows])
    probability = np.array([twentieths / 20 for _, twentieths in rows])
    chosen = choose_threshold(outcome, probability, F1)
    best = max(f1_score(outcome, probability >= threshold) for threshold in np.unique(probability))
    assert f1_score(outcome, probability >= chosen) == pytest.approx(best)


def test_a_fixed_threshold_is_what_was_said() -> None:
    params = ThresholdParams(method="fixed", value=0.37)
    assert choose_threshold(np.array([0, 1]), np.array([0.1, 0.9]), params) == 0.37
