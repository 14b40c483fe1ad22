"""Paired differences: the metrics of both models, their difference, and an interval that knows the customers to be the same."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from churn.config.params import EvaluationParams, ProfitParams
from churn.evaluation.intervals import metric_intervals
from churn.evaluation.paired import Answers, paired_differences

PARAMS = EvaluationParams(resamples=400)


def customers(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, n)
    return (rng.random(n) < p).astype(int), p


def test_both_values_and_their_difference_are_those_of_scikit_learn() -> None:
    y, p = customers()
    worse = np.clip(p + np.random.default_rng(1).normal(0, 0.2, len(p)), 0.001, 0.999)
    found = paired_differences(y, Answers(p, 0.3), Answers(worse, 0.4), PARAMS, 3, profit=ProfitParams())
    for name, score in (("roc_auc", roc_auc_score), ("pr_auc", average_precision_score), ("log_loss", log_loss)):
        first, second, difference, low, high = found[name]
        assert (first, second) == pytest.approx((score(y, p), score(y, worse)))
        assert difference == pytest.approx(second - first)
        assert low < difference < high
    assert found["roc_auc"][4] < 0 < found["log_loss"][3], "the noisier one is worse beyond chance"
    assert {"profit", "empc", "recall"} <= set(found)


def test_the_interval_is_paired() -> None:
    """Of two nearly equal models the difference is known far better than either score."""
    y, p = customers()
    found = paired_differences(y, Answers(p, 0.3), Answers(p * 0.99, 0.3), PARAMS, 3)
    low, high = metric_intervals(y, p, 0.3, confidence=0.95, resamples=400, seed=3)["log_loss"]
    assert found["log_loss"][4] - found["log_loss"][3] < (high - low) / 10


def test_rows_of_one_customer_are_drawn_together() -> None:
    y, p = customers(200)
    worse = np.clip(p + np.random.default_rng(1).normal(0, 0.2, len(p)), 0.001, 0.999)
    often = np.tile(np.arange(200), 5)
    models = Answers(np.tile(p, 5), 0.3), Answers(np.tile(worse, 5), 0.3)
    alone = paired_differences(y, Answers(p, 0.3), Answers(worse, 0.3), PARAMS, 3)["brier"]
    together = paired_differences(np.tile(y, 5), *models, PARAMS, 3, customer=often + 70)["brier"]
    apart = paired_differences(np.tile(y, 5), *models, PARAMS, 3)["brier"]
    assert together[4] - together[3] == pytest.approx(alone[4] - alone[3], rel=1e-9)
    assert apart[4] - apart[3] < 0.6 * (together[4] - together[3])


def test_what_is_not_defined_is_left_out() -> None:
    found = paired_differences(np.zeros(30, dtype=int), Answers(np.full(30, 0.2), 0.5), Answers(np.full(30, 0.1), 0.5), PARAMS, 0)
    assert "roc_auc" not in found
    assert found["brier"][2] < 0
