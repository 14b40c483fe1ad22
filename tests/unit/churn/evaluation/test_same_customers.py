"""Customers who have several rows count once in what is said about chance: intervals, slices, the calibration curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import EvaluationParams, ProfitParams, SliceParams
from churn.contract import load_contract
from churn.data.labelled import Labelled
from churn.evaluation.curves import calibration_curve
from churn.evaluation.intervals import metric_intervals
from churn.evaluation.slices import Slice, find_slices, score_slices

CUSTOMERS, EACH = 300, 20
HOW = {"confidence": 0.9, "resamples": 400, "seed": 1, "profit": ProfitParams()}
P = np.random.default_rng(1).uniform(0.02, 0.4, CUSTOMERS)
Y = (np.random.default_rng(2).random(CUSTOMERS) < P).astype(np.int64)
AGAIN = np.tile(np.arange(CUSTOMERS), EACH)


def width(interval):
    return interval[1] - interval[0]


def test_rows_that_say_the_same_twenty_times_make_no_interval_narrower():
    once, again = (
        metric_intervals(Y[rows], P[rows], 0.2, customer=who, **HOW) for rows, who in ((slice(None), None), (AGAIN, AGAIN))
    )
    as_others = metric_intervals(Y[AGAIN], P[AGAIN], 0.2, **HOW)
    for name in once:
        assert width(again[name]) == pytest.approx(width(once[name]), rel=0.15, abs=1e-3), name
        assert width(as_others[name]) < width(again[name]) / 2, name


def test_with_one_row_each_nothing_changes():
    numbered = metric_intervals(Y, P, 0.2, customer=np.arange(CUSTOMERS)[::-1], **HOW)
    assert set(numbered) == set(metric_intervals(Y, P, 0.2, **HOW))


def test_one_customer_with_half_of_the_rows_is_drawn_as_one():
    who = np.concatenate([np.full(CUSTOMERS, 0), np.arange(CUSTOMERS)])
    low, high = metric_intervals(np.concatenate([np.ones(CUSTOMERS, int), Y]), np.tile(P, 2), 0.2, customer=who, **HOW)[
        "churn_rate"
    ]
    assert (low < 0.3, high > 0.7) == (True, True)  # he is in a resample, or not, or twice


def test_a_slice_needs_customers_not_rows():
    contract = load_contract()
    features = pd.DataFrame(dict.fromkeys(contract.feature_names, 0.0), index=range(400)).assign(
        international_plan=np.repeat([0.0, 1.0], 200)
    )
    few = np.where(features["international_plan"] == 1, 10_000 + np.arange(400) % 8, np.arange(400))
    params = SliceParams(min_rows=50, min_churners=5)
    outcome = pd.Series(np.arange(400) % 2)
    alone, together = (find_slices(Labelled(features, outcome, customer=who), contract, params)[0] for who in (None, few))
    levels = [{one.level for one in found if one.column == "international_plan"} for found in (alone, together)]
    assert levels == [{"Yes", "No"}, {"No"}]


def test_the_intervals_of_a_slice_are_those_of_its_customers():
    everybody = [Slice("all", "all", np.ones(CUSTOMERS * EACH, dtype=bool))]
    params = EvaluationParams(resamples=200)
    counted, rows = (score_slices(Y[AGAIN], P[AGAIN], 0.2, everybody, params, 1, who) for who in (AGAIN, None))
    assert (counted["log_loss_high"] - counted["log_loss_low"]).item() > 3 * (rows["log_loss_high"] - rows["log_loss_low"]).item()


def test_the_calibration_curve_is_as_wide_as_so_many_customers_make_it():
    found = calibration_curve(Y[AGAIN], P[AGAIN], bins=5, confidence=0.9, customer=AGAIN)
    once = calibration_curve(Y, P, bins=5, confidence=0.9)
    np.testing.assert_allclose(found[["observed", "low", "high", "customers"]], once[["observed", "low", "high", "customers"]])
