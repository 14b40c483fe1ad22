from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churn.config.params import EvaluationParams, Params, ProfitParams, SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.curves import POINTS, calibration_curve, curves_of
from churn.evaluation.intervals import metric_intervals
from churn.evaluation.profit import profits
from churn.evaluation.report import Evaluation, assess, sliced_by
from churn.evaluation.scorecard import evaluate, expected_calibration_error

BANDS = {"account_length": [50.0, 100.0, 150.0], "acount_length": [50.0]}
PARAMS = Params(seed=2, evaluation=EvaluationParams(resamples=100, confidence=0.9, slices=SliceParams(bands=BANDS)))


@pytest.fixture(scope="module")
def found(known: Labelled, probability: np.ndarray, contract: Contract) -> Evaluation:
    return assess(known, probability, 0.4, contract, PARAMS)


def test_it_holds_the_scores_their_intervals_and_the_slices(known: Labelled, probability: np.ndarray, found: Evaluation) -> None:
    outcome = known.outcome.to_numpy()
    assert found.card == evaluate(outcome, probability, 0.4, profit=PARAMS.profit)
    assert found.intervals == metric_intervals(
        outcome, probability, 0.4, confidence=0.9, resamples=100, seed=2, profit=PARAMS.profit
    )
    assert (found.confidence, found.currency) == (0.9, "USD")
    assert {"account_length", "area_code", "international_plan", "voice_mail_plan"} <= set(found.slices["column"])
    assert set(found.gaps["column"]) <= set(found.slices["column"])
    assert any(note.startswith("acount_length:") for note in found.notes)


def test_the_same_input_gives_the_same_report(
    known: Labelled, probability: np.ndarray, contract: Contract, found: Evaluation
) -> None:
    assert assess(known, probability, 0.4, contract, PARAMS).report() == found.report()


def test_the_report_is_json_with_value_low_and_high(found: Evaluation) -> None:
    report = json.loads(json.dumps(found.report(), allow_nan=False))
    low, high = found.intervals["roc_auc"]
    assert report["metrics"]["roc_auc"] == {"value": found.card.roc_auc, "low": low, "high": high}
    assert report["metrics"]["rows"] == {"value": 600}
    assert len(report["slices"]) == len(found.slices)
    assert report["slices"][0]["column"] == found.slices["column"][0]
    assert isinstance(report["slices"][0]["rows"], int)


def test_metrics_for_a_tracker_carry_prefix_and_bounds(found: Evaluation) -> None:
    metrics = found.metrics("holdout_")
    assert metrics["holdout_brier"] == found.card.brier
    assert (metrics["holdout_brier_low"], metrics["holdout_brier_high"]) == found.intervals["brier"]
    assert all(name.startswith("holdout_") and math.isfinite(value) for name, value in metrics.items())


@pytest.mark.parametrize("level", [0, 1])
def test_one_class_is_assessed_as_far_as_it_goes(known: Labelled, contract: Contract, level: int) -> None:
    same = Labelled(known.features, pd.Series(np.full(len(known), level)))
    told = assess(same, np.linspace(0.1, 0.9, len(known)), 0.4, contract, PARAMS)
    report = json.loads(json.dumps(told.report(), allow_nan=False))
    assert report["metrics"]["roc_auc"] == {"value": None}
    assert report["slices"] == []
    assert "roc" not in told.curves
    assert "calibration" in told.curves


@pytest.mark.parametrize("there", [True, False])
def test_slices_by_something_else_are_added_also_where_neither_has_any(
    known: Labelled, probability: np.ndarray, found: Evaluation, there: bool
) -> None:
    levels = pd.Series(pd.Categorical(np.where(np.arange(len(known)) % 2, "odd", "even") if there else ["all"] * len(known)))
    before = found if there else replace(found, slices=found.slices.head(0))
    told = sliced_by(before, known, probability, "kind", levels, PARAMS)
    more = ["even", "odd"] if there else []
    assert told.slices["level"].tolist() == [*before.slices["level"], *more]
    assert list(told.slices) == list(found.slices)
    assert ("kind" in set(told.gaps["column"])) == there
    assert any(note.startswith("kind: every customer is 'all'") for note in told.notes) != there
    json.dumps(told.report(), allow_nan=False)


def test_a_slice_that_cannot_tell_something_says_none(found: Evaluation) -> None:
    holes = found.slices.assign(roc_auc=np.nan)
    told = replace(found, slices=holes)
    assert {row["roc_auc"] for row in told.report()["slices"]} == {None}


# Curves


def test_the_curves_have_the_areas_and_ends_of_the_scorecard(found: Evaluation) -> None:
    roc, gains = found.curves["roc"], found.curves["gains"]
    assert np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"]) == pytest.approx(found.card.roc_auc)
    assert gains.iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert np.interp(0.1, gains["contacted_share"], gains["churners_share"]) == pytest.approx(found.card.top_decile_gain)
    lift = found.curves["lift"]
    assert lift["lift"].iloc[0] == pytest.approx(found.card.top_decile_lift)
    assert lift["lift"].mean() == pytest.approx(1)


def test_the_profit_curve_runs_through_the_threshold_s_profit(
    known: Labelled, probability: np.ndarray, found: Evaluation
) -> None:
    curve = found.curves["profit"]
    below = curve[curve["threshold"] <= 0.4].iloc[0]
    expected = profits(known.outcome.to_numpy(), probability, below["threshold"], PARAMS.profit).mean()
    assert below["profit_per_customer"] == pytest.approx(expected)
    assert curve["profit_per_customer"].max() >= found.card.profit


def test_calibration_bins_are_those_of_the_calibration_error() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(205)
    outcome = (rng.random(205) < probability).astype(int)
    bins = calibration_curve(outcome, probability, bins=10, confidence=0.95)
    assert sorted(bins["customers"]) == [20] * 5 + [21] * 5
    error = ((bins["observed"] - bins["predicted"]).abs() * bins["customers"]).sum() / 205
    assert error == pytest.approx(expected_calibration_error(outcome, probability))
    assert ((bins["low"] <= bins["observed"]) & (bins["observed"] <= bins["high"])).all()


def test_the_interval_of_a_bin_is_wilson_s() -> None:
    # 0 of 10 at 95 %: the upper end is z² / (n + z²).
    bins = calibration_curve(np.zeros(10, dtype=int), np.full(10, 0.1), bins=1, confidence=0.95)
    assert (bins["low"].item(), bins["high"].item()) == (0, pytest.approx(1.96**2 / (10 + 1.96**2), abs=1e-4))


def test_fewer_customers_than_bins_have_a_bin_each() -> None:
    assert len(calibration_curve(np.array([0, 1, 1]), np.array([0.1, 0.5, 0.9]), bins=10, confidence=0.95)) == 3


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    rng = np.random.default_rng(1)
    outcome, probability = rng.integers(0, 2, 5000), rng.random(5000)
    curves = curves_of(outcome, probability, ProfitParams())
    assert len(curves["profit"]) == len(curves["gains"]) == POINTS
    assert curves["gains"].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
