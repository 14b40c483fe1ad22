"""The gate's customers are the newest mature ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import GateParams
from churn.modeling.training_set import newest_rows

PARAMS = GateParams(fresh_days=30, min_fresh_rows=30, max_fresh_rows=60, min_class_rows=5)


def daily(days: int) -> pd.Series:
    return pd.Series(pd.date_range("2026-01-01", periods=days, freq="D", tz="UTC"))


def every(n: int, days: int) -> np.ndarray:
    return (np.arange(days) % n == 0).astype(float)


@pytest.mark.parametrize(
    ("days", "leaves", "rows"),
    [
        (20, 2, 20),  # all there is
        (200, 2, 31),  # the newest thirty days, both ends included
        (200, 9, 38),  # further back, to five who left
        (200, 500, 60),  # only the first left: as far back as may be
    ],
)
def test_newest_days_and_further_back_only_where_they_are_not_enough(days: int, leaves: int, rows: int) -> None:
    found = newest_rows(daily(days), every(leaves, days), PARAMS)
    assert found.tolist() == list(range(days - rows, days))


def test_order_in_the_store_and_months_without_any_change_nothing() -> None:
    moments = pd.concat([daily(100), daily(40) + pd.Timedelta(days=400)], ignore_index=True)
    shuffled = np.random.default_rng(3).permutation(140)
    found = newest_rows(moments[shuffled], every(2, 140)[shuffled], PARAMS)
    assert sorted(shuffled[found].tolist()) == list(range(109, 140))


def test_of_no_rows_none_is_newest() -> None:
    assert newest_rows(daily(0), np.empty(0), PARAMS).tolist() == []
