from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from churn.config.params import ProfitParams
from monitoring.performance.metrics import measure_performance


def labelled(p, y) -> pd.DataFrame:
    return pd.DataFrame({"churn_probability": np.asarray(p, dtype=float), "churned": np.asarray(y, dtype=float)})


def test_measures_are_those_of_the_outcomes_by_definition():
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


def test_outcomes_count_as_often_as_they_stand_for_others_and_their_customers_once() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 400)
    rows = labelled(p, (rng.random(400) < p).astype(float))
    weight = np.where(rng.random(400) < 0.1, 8.0, 1.0)
    alike = measure_performance(rows.assign(weight=1.0))
    assert alike == measure_performance(rows)
    found = measure_performance(rows.assign(weight=weight))
    often = weight.astype(int)
    # Each repetition named after the customer, as if there were so many outcomes of one person.
    names = [f"c{n}" for n in range(400)]
    repeated = rows.assign(customer_id=names).iloc[np.repeat(np.arange(400), often)].reset_index(drop=True)
    expected = measure_performance(repeated)
    assert found.rows == 400
    for name in ("churn_rate", "brier", "log_loss", "roc_auc", "pr_auc", "calibration_in_the_large"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name
    # Eight times the same customer says no more than once: an interval as of so many rows would be narrower.
    assert found.intervals == expected.intervals
    anybody = measure_performance(repeated.drop(columns="customer_id"))
    (low, high), (lowest, highest) = found.intervals["brier"], anybody.intervals["brier"]
    assert high - low > 1.3 * (highest - lowest)
    assert float(np.average((rows["churned"] - p) ** 2, weights=weight)) == pytest.approx(found.brier)


def test_customers_who_are_there_twice_tell_no_more_of_the_profit_than_once() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(0.05, 0.95, 200)
    once = pd.DataFrame({"churn_probability": p, "churned": (rng.random(200) < p) * 1.0, "customer_id": range(200)})
    twice = pd.concat([once, once], ignore_index=True)
    single, double = (measure_performance(rows, threshold=0.3, campaign=ProfitParams()) for rows in (once, twice))
    assert double.profit == pytest.approx(single.profit)
    assert double.intervals["profit"] == pytest.approx(single.intervals["profit"])
    # Taken for as many customers, they would.
    unknown = measure_performance(twice.drop(columns="customer_id"), threshold=0.3, campaign=ProfitParams())
    low, high = unknown.intervals["profit"]
    assert high - low == pytest.approx((single.intervals["profit"][1] - single.intervals["profit"][0]) / math.sqrt(2))
