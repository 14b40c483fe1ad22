"""Measures and estimates of a window in which customers come again and again: as wide as so many customers make them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import ProfitParams
from monitoring.performance.estimation import estimate_performance
from monitoring.performance.metrics import measure_performance
from tests.unit.monitoring.fakes import customers

REFERENCE, ONCE, EACH = customers(2_000, 1), customers(400, 5), 20
CAMPAIGN = {"threshold": 0.3, "campaign": ProfitParams()}


def again(frame: pd.DataFrame, *, named: bool) -> pd.DataFrame:
    ids = [f"C{n}" for n in range(len(frame))] if named else [None] * len(frame)
    return pd.concat([frame.assign(customer_id=pd.Series(ids, dtype=object))] * EACH, ignore_index=True)


def widths(intervals):
    return {name: high - low for name, (low, high) in intervals.items()}


def test_intervals_of_measures_are_those_of_the_customers():
    # 8,000 rows are more than are resampled: the sample takes whole customers.
    once, named, unnamed = (
        widths(measure_performance(rows, **CAMPAIGN).intervals)
        for rows in (ONCE, again(ONCE, named=True), again(ONCE, named=False))
    )
    for name, width in once.items():
        assert named[name] == pytest.approx(width, rel=0.25), name
        assert unnamed[name] < width / 3, name  # each row without an id counts as another customer


def test_with_one_row_each_the_measures_are_the_same_to_the_last_bit():
    assert measure_performance(ONCE.assign(customer_id=[f"C{n}" for n in range(400)]), **CAMPAIGN) == measure_performance(
        ONCE, **CAMPAIGN
    )


def test_estimates_without_outcomes_are_as_wide_as_the_customers_make_them():
    p = ONCE["churn_probability"].to_numpy()
    who = np.tile(np.arange(len(p)), EACH)
    once, named, rows = (
        widths(estimate_performance(REFERENCE, q, customer=c).intervals) for q, c in ((p, None), (p[who], who), (p[who], None))
    )
    assert named["churn_rate"] == pytest.approx(once["churn_rate"], rel=0.25)
    assert rows["churn_rate"] < 0.8 * once["churn_rate"]
