"""Outcomes that campaigns left are compared with the part of the reference that is like them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.performance.concept_drift import detect_concept_drift
from monitoring.performance.cusum_calibration import calibrate, resume
from monitoring.performance.recalibration import Recalibration, logit, sigmoid
from monitoring.performance.residuals import minus_logit, moments_of
from monitoring.performance.score_selection import SHARE, ScoreSelection, by_window, shares_of

THRESHOLD = 0.3
ALPHA = 0.01


def draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw customers of a model that is too sure: by half of its log-odds, about the middle one. Over all, it is about right."""
    p = np.clip(rng.beta(0.5, 3.0, rows), 0.002, 0.99)
    true = sigmoid(-1.5 + 0.5 * (logit(p) + 1.5))
    return pd.DataFrame({"churn_probability": p, "churned": (rng.random(rows) < true).astype(float)})


def campaign(came: pd.DataFrame, held_out: float, rng: np.random.Generator) -> tuple[pd.DataFrame, ScoreSelection]:
    """Return the outcomes that are left if all named are called but a share, and which these are."""
    p = came["churn_probability"].to_numpy()
    kept = (p < THRESHOLD) | (rng.random(len(p)) < held_out)
    return came[kept], ScoreSelection.of(p, kept, THRESHOLD)


@pytest.mark.parametrize("held_out", [0.0, 0.1])
def test_a_model_that_was_always_too_sure_is_no_news_without_those_whom_it_names(held_out: float) -> None:
    rng, alarms = np.random.default_rng(8), {"like": 0, "unlike": 0}
    for _ in range(60):
        reference = draw(2_000, rng)
        left, selection = campaign(draw(2_000, rng), held_out, rng)
        alarms["like"] += detect_concept_drift(by_window(reference, selection), left, ALPHA).alarm
        alarms["unlike"] += detect_concept_drift(reference, left, ALPHA).alarm
    # Of 60 at 1 %, more than 3 are there by chance once in 300 times.
    assert alarms["like"] <= 3
    assert alarms["unlike"] > 15, "which is why"


def test_a_change_is_found_in_what_is_left() -> None:
    rng, found = np.random.default_rng(9), 0
    for _ in range(20):
        came = draw(2_000, rng)
        came["churned"] = np.maximum(came["churned"], rng.random(len(came)) < 0.06)
        left, selection = campaign(came, 0.1, rng)
        found += detect_concept_drift(by_window(draw(2_000, rng), selection), left, ALPHA).alarm
    assert found >= 18


def test_a_reference_of_the_control_group_stands_for_everybody() -> None:
    rng, alarms = np.random.default_rng(10), 0
    for _ in range(60):
        left, _ = campaign(draw(3_000, rng), 0.1, rng)
        weight = np.where(left["churn_probability"] < THRESHOLD, 1.0, 10.0)
        alarms += detect_concept_drift(by_window(left.assign(weight=weight), None), draw(1_000, rng), ALPHA).alarm
    assert alarms <= 3


def test_the_stream_of_what_is_left_does_not_rise() -> None:
    rng = np.random.default_rng(11)
    reference = draw(2_000, rng)
    rest = [campaign(draw(1_000, rng), 0.0, rng) for _ in range(4)]
    last, unlike = None, None
    for left, selection in rest:
        seen = by_window(reference, selection)
        last = resume(last, seen, left, false_alarm_rate=ALPHA)
        unlike = resume(unlike, reference, left, false_alarm_rate=ALPHA)
        assert last.mixed
        assert not unlike.mixed
        assert not last.alarm
    assert unlike is not None
    again = resume(last, reference, draw(200, rng), false_alarm_rate=ALPHA)
    assert again.calibrated_threshold == unlike.calibrated_threshold, "of everybody, once everybody is there again"


def test_equal_shares_change_nothing() -> None:
    reference = draw(500, np.random.default_rng(12))
    half = reference.assign(**{SHARE: 0.5})
    one, other = (moments_of(rows, minus_logit) for rows in (reference, half))
    assert one == other
    p, y = (reference[name].to_numpy() for name in ("churn_probability", "churned"))
    plain, counted = Recalibration.of(p, y), Recalibration.of(p, y, np.ones(500))
    assert (plain.intercept, plain.slope, plain.centre) == (counted.intercept, counted.slope, counted.centre)
    assert counted.covariance == pytest.approx(plain.covariance, rel=0.01)
    everything = ScoreSelection.of(p, np.ones(500, dtype=bool), THRESHOLD)
    assert by_window(reference, everything) is by_window(reference, None) is reference
    assert shares_of(reference) is None


def test_the_recalibration_of_some_is_that_of_their_copies_and_known_as_well_as_they_are_many() -> None:
    reference = draw(400, np.random.default_rng(13))
    p, y = (reference[name].to_numpy() for name in ("churn_probability", "churned"))
    count = np.where(p < THRESHOLD, 3, 1)
    copies = Recalibration.of(np.repeat(p, count), np.repeat(y, count))
    counted = Recalibration.of(p, y, count.astype(float))
    assert (counted.intercept, counted.slope) == pytest.approx((copies.intercept, copies.slope))
    assert np.linalg.det(counted.covariance) > 1.5 * np.linalg.det(copies.covariance)


def test_of_whom_nothing_came_nothing_was_taken() -> None:
    selection = ScoreSelection.of(np.array([0.1, 0.2]), np.array([True, False]), 0.5)
    assert selection.shares_of(np.array([0.0, 0.49, 0.5, 1.0])).tolist() == [0.5, 0.5, 1.0, 1.0]


def test_where_nothing_of_the_reference_is_like_what_is_left_nothing_is_asked() -> None:
    reference = pd.DataFrame({"churn_probability": [0.8, 0.9], "churned": [1.0, 1.0]})
    selection = ScoreSelection.of(np.array([0.1] * 30 + [0.9] * 30), np.repeat([True, False], 30), 0.5)
    seen = by_window(reference, selection)
    assert seen.empty
    assert detect_concept_drift(seen, pd.DataFrame({"churn_probability": [0.1], "churned": [0.0]}), ALPHA).tests == ()


def test_simulated_streams_are_drawn_as_often_as_rows_count() -> None:
    reference = draw(300, np.random.default_rng(14))
    none_of_the_named = np.where(reference["churn_probability"] < THRESHOLD, 1.0, 0.0)
    some, rest = reference.assign(**{SHARE: none_of_the_named}), reference[none_of_the_named > 0]
    drawn = [calibrate(rows, false_alarm_rate=0.05, simulations=50, horizon=200) for rows in (some, rest)]
    assert drawn[0].recalibration is not None
    assert drawn[1].recalibration is not None
    assert drawn[0].recalibration.slope == pytest.approx(drawn[1].recalibration.slope)
    assert drawn[0].threshold == pytest.approx(drawn[1].threshold, rel=0.25)
