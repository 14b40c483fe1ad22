"""Drift within a group of customers, and of a segment's share: found where the whole is calm, and rare without drift."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import SliceParams
from churn.segments.segments import SLICE
from monitoring.drift import slice_scores
from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.results import DriftResult
from monitoring.slicing import Slicing
from tests.unit.monitoring.grouped import CONTRACT, draw

NAMES = ["low", "high"]


def segmented(rows: int, seed: int | np.random.Generator, share: float = 0.2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    segment = pd.Categorical.from_codes((rng.random(rows) < share).astype(int), categories=pd.Index(NAMES))
    return draw(rows, rng).assign(**{SLICE: segment})


REFERENCE = segmented(3000, 1)
SLICING = Slicing.of(REFERENCE, CONTRACT, SliceParams())
PROFILE = ReferenceProfile.of(REFERENCE, CONTRACT, SLICING)


def found(window: pd.DataFrame) -> list[DriftResult]:
    report = detect_drift(PROFILE, window, CONTRACT, 0.01)
    return [one for one in report.results if one.drifted]


def of_north(window: pd.DataFrame, minutes: float) -> pd.DataFrame:
    """Customers of the north talk longer, and those of the south less: on the whole, nothing moved."""
    moved = window["minutes"] + minutes * (window["area"] == "north") - minutes * (window["area"] == "south")
    return window.assign(minutes=moved)


def test_what_moves_within_groups_and_not_as_a_whole_is_found_with_the_means_of_the_group() -> None:
    window = of_north(segmented(2000, 2), 18.0)
    plain = detect_drift(ReferenceProfile.of(REFERENCE, CONTRACT), window, CONTRACT, 0.01)
    assert not plain.alarm
    results = {(one.feature, one.other): one for one in found(window)}
    assert set(results) == {("minutes", "area: north"), ("minutes", "area: south")}
    one = results["minutes", "area: north"]
    assert (one.aspect, one.measure) == ("slice", "mean minutes of customers with area north")
    assert one.current == pytest.approx(window.loc[window["area"] == "north", "minutes"].mean())
    assert one.reference == pytest.approx(REFERENCE.loc[REFERENCE["area"] == "north", "minutes"].mean())


def test_predictions_for_a_flag_s_customers_are_compared_and_their_numbers_left_to_dependence() -> None:
    window = segmented(2000, 2)
    p = window["churn_probability"]
    window["churn_probability"] = p.where(window["plan"] != 1, np.minimum(p * 1.7, 0.99)).where(window["plan"] == 1, p * 0.95)
    (one,) = found(window)
    assert (one.feature, one.aspect, one.other) == ("churn_probability", "slice", "plan: Yes")
    assert PROFILE.slices is not None
    tested = {(SLICING.rules[place].column, column) for place, column in PROFILE.slices.tests}
    numbers = list(PROFILE.slices.numbers)
    assert {numbers[column] for rule, column in tested if rule == "plan" and column is not None} == {"churn_probability"}
    assert ("tenure", numbers.index("tenure")) not in tested


def test_of_very_many_tests_only_predictions_and_shares_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slice_scores, "MAX_TESTS", 20)
    slices = ReferenceProfile.of(REFERENCE, CONTRACT, SLICING).slices
    assert slices is not None
    answers = list(slices.numbers).index("churn_probability")
    segments = [place for place, rule in enumerate(SLICING.rules) if rule.column == SLICE]
    assert slices.tests == [(place, answers) for place in range(len(SLICING.rules))] + [(place, None) for place in segments]


def test_a_segment_s_share_is_compared_and_left_out_where_segments_are_not_known() -> None:
    window = segmented(2000, 2, share=0.3)
    one = next(one for one in found(window) if one.other == f"{SLICE}: high")
    assert (one.feature, one.aspect) == (SLICE, "slice")
    assert one.measure == 'share of customers of the segment "high"'
    assert type(one.shift) is float, "as in JSON, into which a run's result goes"
    assert (one.reference, one.current) == (
        pytest.approx((REFERENCE[SLICE] == "high").mean()),
        pytest.approx((window[SLICE] == "high").mean()),
    )
    assert found(window.drop(columns=SLICE)) == []


def test_what_moved_as_a_whole_is_told_as_a_whole() -> None:
    window = segmented(2000, 2)
    results = found(window.assign(minutes=window["minutes"] + 40))
    assert ("minutes", "values") in {(one.feature, one.aspect) for one in results}
    assert not [one for one in results if one.feature == "minutes" and one.aspect == "slice"]


def test_parts_of_a_window_give_what_the_whole_gives() -> None:
    window = of_north(segmented(1000, 2), 20.0)
    whole = detect_drift(PROFILE, window, CONTRACT, 0.01)
    parts = detect_drift(PROFILE, [window.iloc[:300], window.iloc[300:]], CONTRACT, 0.01)
    slices, of_parts = ([one for one in report.results if one.aspect == "slice"] for report in (whole, parts))
    assert [(one.feature, one.other) for one in slices] == [(one.feature, one.other) for one in of_parts]
    assert [one.statistic for one in slices] == pytest.approx([one.statistic for one in of_parts])


@pytest.mark.parametrize(("references", "most"), [(1, 4), pytest.param(4, 10, marks=pytest.mark.long)])
def test_calm_windows_alarm_as_rarely_as_was_asked(references: int, most: int) -> None:
    rng, alpha, alarms = np.random.default_rng(9), 0.2, 0
    for _ in range(references):
        reference = segmented(1500, rng)
        profile = ReferenceProfile.of(reference, CONTRACT, Slicing.of(reference, CONTRACT, SliceParams()))
        for _ in range(50):
            report = detect_drift(profile, segmented(500, rng), CONTRACT, alpha)
            alarms += any(one.aspect == "slice" and one.drifted for one in report.results)
    # The family's share of 20 % is 1.5 %: of 50 windows 0.75 expected, of 200 3; 99.9 % of the time at most these.
    assert alarms <= most
