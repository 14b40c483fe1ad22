from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from monitoring.performance.metrics import measure_performance


def labelled(p, y) -> pd.DataFrame:
    return pd.DataFrame({"churn_probability": np.asarray(p, dtype=float), "churned": np.asarray(y, dtype=float)})


def test_performance_is_measured():
    performance = measure_performance(labelled([0.1, 0.2, 0.6, 0.9], [0, 1, 0, 1]))
    assert performance.rows == 4
    assert performance.churn_rate == 0.5
    assert performance.mean_probability == pytest.approx(0.45)
    assert performance.calibration_in_the_large == pytest.approx(0.05)
    assert performance.roc_auc == 0.75
    assert performance.pr_auc == pytest.approx(5 / 6)
    assert performance.brier == pytest.approx((0.01 + 0.64 + 0.36 + 0.01) / 4)
    assert performance.log_loss == pytest.approx(log_loss([0, 1, 0, 1], [0.1, 0.2, 0.6, 0.9]))


def test_with_one_class_the_areas_are_unknown_and_the_rest_is_not():
    performance = measure_performance(labelled([0.1, 0.2], [0, 0]))
    assert (performance.roc_auc, performance.pr_auc) == (None, None)
    assert performance.brier == pytest.approx(0.025)


def test_without_rows_nothing_is_known():
    performance = measure_performance(labelled([], []))
    assert (performance.rows, performance.brier, performance.churn_rate) == (0, None, None)


def test_certain_probabilities_have_a_finite_loss():
    assert math.isfinite(measure_performance(labelled([0.0, 1.0], [1, 0])).log_loss or math.inf)
