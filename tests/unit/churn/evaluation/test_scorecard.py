from __future__ import annotations

import json
import math

import numpy as np
import pytest

from churn.config.params import ProfitParams
from churn.evaluation.scorecard import evaluate, expected_calibration_error


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


def test_customers_of_equal_score_are_in_one_bin_whatever_their_order() -> None:
    # Split by row, those who churned would all be in one bin, and 0.5 would look wrong for both.
    outcome = np.array([0] * 10 + [1] * 10)
    assert expected_calibration_error(outcome, np.full(20, 0.5)) == 0
    probability = np.array([0.1, 0.8] * 10)
    mixed = np.random.default_rng(0).permutation(20)
    once = expected_calibration_error(outcome, probability)
    assert once == pytest.approx((0.4 * 10 + 0.3 * 10) / 20)
    assert expected_calibration_error(outcome[mixed], probability[mixed]) == pytest.approx(once)


def test_fewer_customers_than_bins_still_have_a_calibration_error() -> None:
    assert expected_calibration_error(np.array([1, 0]), np.array([0.75, 0.25])) == pytest.approx(0.25)


def test_the_gap_and_who_is_selected_by_hand() -> None:
    card = evaluate(np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1, 0.1]), 0.5)
    assert card.calibration_gap == pytest.approx(2 / 5 - 1.9 / 5)
    assert card.selection_rate == pytest.approx(2 / 5)


def test_the_top_decile_by_hand() -> None:
    # Of 20 customers 4 churn; the two with the highest scores hold one of them.
    outcome = np.array([1, 0, 1, 1, 1] + [0] * 15)
    card = evaluate(outcome, np.linspace(0.9, 0.1, 20), 0.5)
    assert card.top_decile_gain == pytest.approx(1 / 4)
    assert card.top_decile_lift == pytest.approx((1 / 2) / (4 / 20))


def test_equal_scores_at_the_decile_s_edge_count_as_a_random_choice_among_them_would() -> None:
    # The tenth is two of twenty customers: the first, who churns, and one of four with the same score, of whom one churns.
    outcome = np.array([1, 0, 1, 0, 0] + [0] * 15)
    card = evaluate(outcome, np.array([0.9] + [0.8] * 4 + [0.1] * 15), 0.5)
    assert card.top_decile_gain == pytest.approx((1 + 1 / 4) / 2)


def test_a_score_that_knows_nothing_has_no_lift() -> None:
    assert evaluate(np.array([1, 0, 0, 0, 1]), np.full(5, 0.4), 0.5).top_decile_lift == pytest.approx(1)


def test_profit_is_told_only_if_it_is_said_what_a_customer_is_worth() -> None:
    outcome, probability = np.array([1, 0, 0, 1]), np.array([0.9, 0.8, 0.1, 0.2])
    silent = evaluate(outcome, probability, 0.5)
    assert (silent.profit, silent.empc) == (None, None)
    assert not {"profit", "empc"} & set(silent.metrics())
    told = evaluate(outcome, probability, 0.5, profit=ProfitParams())
    assert told.profit == pytest.approx((56 - 11) / 4)
    assert told.empc is not None
    assert told.metrics()["profit"] == told.profit


@pytest.mark.parametrize("level", [0, 1])
def test_what_is_not_known_is_none_in_reports_and_absent_in_metrics(level: int) -> None:
    card = evaluate(np.full(4, level), np.array([0.1, 0.2, 0.3, 0.4]), 0.5)
    report = json.loads(json.dumps(card.report(), allow_nan=False))
    assert report["roc_auc"] is None
    assert report["brier"] == card.brier
    assert (report["top_decile_lift"] is None) == (level == 0)
    metrics = card.metrics()
    assert "roc_auc" not in metrics
    assert all(math.isfinite(value) for value in metrics.values())
