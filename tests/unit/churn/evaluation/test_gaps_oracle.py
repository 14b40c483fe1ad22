"""Gaps between groups, beside those of Fairlearn on the same random customers."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equal_opportunity_difference,
    selection_rate,
    true_positive_rate,
)

from churn.config.params import EvaluationParams
from churn.evaluation.slices import Slice, gaps_of, score_slices

FAST = EvaluationParams(resamples=100)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("groups", [2, 5])
def test_the_scorecards_gaps_are_those_of_fairlearn(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, 900)
    outcome = (rng.random(900) < 0.15 + 0.05 * group).astype(np.int64)
    probability = np.clip(rng.beta(1, 3, 900) + 0.2 * outcome, 0, 1)
    threshold = float(rng.uniform(0.2, 0.6))
    slices = [Slice("region", str(number), group == number) for number in range(groups)]
    found = gaps_of(score_slices(outcome, probability, threshold, slices, FAST, seed)).iloc[0]
    said = (probability >= threshold).astype(int)
    metrics = {"selection_rate": selection_rate, "recall": true_positive_rate}
    oracle = MetricFrame(metrics=metrics, y_true=outcome, y_pred=said, sensitive_features=group).difference()
    for name in metrics:
        assert found[name] == pytest.approx(oracle[name], abs=1e-12)
    assert found["selection_rate"] == pytest.approx(
        demographic_parity_difference(outcome, said, sensitive_features=group), abs=1e-12
    )
    assert found["recall"] == pytest.approx(equal_opportunity_difference(outcome, said, sensitive_features=group), abs=1e-12)
