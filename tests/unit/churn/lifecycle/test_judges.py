from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import GateParams
from churn.data.labelled import Labelled
from churn.lifecycle.judges import judges_of

PARAMS = GateParams(min_fresh_rows=30, min_class_rows=10)


def asked(days: list[float | None], *, customer: list[int] | None = None) -> Labelled:
    """One row a day that is given; every second customer left."""
    times = pd.Series(pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(pd.Series(days, dtype="float64"), "D"))
    features = pd.DataFrame({"day": pd.Series(days, dtype="float64")})
    who = None if customer is None else np.array(customer)
    return Labelled(features, pd.Series(np.arange(len(days)) % 2), customer=who, asked_at=times)


def test_customers_of_the_time_that_was_learned_from_judge() -> None:
    fresh = asked([*range(100)])
    assert judges_of(fresh, asked([60.0, 59.5, 80.0]), PARAMS).features["day"].tolist() == [*range(60, 100)]


@pytest.mark.parametrize("learned", [asked([60.0, None]), Labelled(pd.DataFrame({"day": [60.0]}), pd.Series([1]))])
def test_all_judge_a_model_of_customers_of_an_unknown_time(learned: Labelled) -> None:
    fresh = asked([*range(100)])
    assert judges_of(fresh, learned, PARAMS) is fresh


def test_all_judge_where_no_time_of_theirs_is_known() -> None:
    holdout = Labelled(pd.DataFrame({"day": range(100)}), pd.Series(np.arange(100) % 2))
    assert judges_of(holdout, asked([60.0]), PARAMS) is holdout


def test_all_judge_where_later_ones_are_not_enough() -> None:
    fresh = asked([*range(100)])
    assert judges_of(fresh, asked([71.0]), PARAMS) is fresh
    same = asked([*range(100)], customer=[*range(60), *[60] * 40])
    assert judges_of(same, asked([60.0]), PARAMS) is same
