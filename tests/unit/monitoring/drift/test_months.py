"""Months that differ by themselves: no alarm for what they usually do, one for what they never did; as before without months."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churn.data.row_time import MONTH
from monitoring.drift.detect import detect_drift
from monitoring.drift.families.cohort_tests import compare_cohorts, sum_up
from monitoring.drift.months import MIN_MONTHS, Months, as_z, spread_of
from monitoring.drift.paired import compare_pairs
from monitoring.drift.profile import ReferenceProfile
from tests.unit.monitoring.drift.small import SMALL, frame_of

ALPHA = 0.01
YEAR = [f"2025-{month:02}" for month in range(1, 13)]
# Minutes by month: a tenth of a standard deviation and more, up and down with the year.
SEASON = 8 * np.cos(2 * np.pi * np.arange(12) / 12)


def of_month(rows: int, lift: float, seed: int) -> pd.DataFrame:
    frame = frame_of(rows, seed)
    frame["minutes"] += lift
    return frame.assign(charge=frame["minutes"] / 2)


def history(lifts: np.ndarray = SEASON, rows: int = 250, seed: int = 1) -> pd.DataFrame:
    parts = [of_month(rows, lift, seed * 1_000 + place) for place, lift in enumerate(lifts)]
    return pd.concat([part.assign(**{MONTH: month}) for part, month in zip(parts, YEAR, strict=False)], ignore_index=True)


REFERENCE = history()
KNOWN = ReferenceProfile.of(REFERENCE, SMALL)
UNKNOWN = ReferenceProfile.of(REFERENCE.drop(columns=MONTH), SMALL)


def test_a_season_alarms_only_where_months_are_not_known() -> None:
    peak = of_month(2_000, SEASON[0], 77)
    assert {r.feature for r in detect_drift(UNKNOWN, peak, SMALL, ALPHA).drifted} >= {"minutes", "charge"}
    # The ends of a range are no mean: the peak is beyond them as much as ever.
    assert {r.aspect for r in detect_drift(KNOWN, peak, SMALL, ALPHA).drifted} <= {"range"}


def test_what_no_month_ever_did_is_found() -> None:
    lifted = of_month(2_000, 90.0, 77)
    assert {r.feature for r in detect_drift(KNOWN, lifted, SMALL, ALPHA).drifted} >= {"minutes", "charge"}
    launched = of_month(2_000, 0.0, 78).assign(plan=(np.random.default_rng(0).random(2_000) < 0.55).astype(float))
    assert [r.feature for r in detect_drift(KNOWN, launched, SMALL, ALPHA).drifted if r.aspect == "values"] == ["plan"]
    faulty = of_month(2_000, 0.0, 79)
    faulty.loc[:30, "calls"] = np.nan
    faulty.loc[:30, "state"] = "TX"
    found = {(r.feature, r.aspect) for r in detect_drift(KNOWN, faulty, SMALL, ALPHA).drifted}
    assert {("calls", "missing"), ("state", "values")} <= found


def test_columns_without_a_relation_are_found_in_any_month() -> None:
    window = of_month(2_000, 0.0, 80)
    shuffled = window.assign(charge=np.random.default_rng(1).permutation(window["charge"]))
    assert {r.aspect for r in detect_drift(KNOWN, shuffled, SMALL, ALPHA).drifted} == {"relation", "dependence"}


def test_the_same_customers_move_with_the_season() -> None:
    before = of_month(1_000, SEASON[3], 5)
    after = before.assign(minutes=before["minutes"] + SEASON[2] - SEASON[3])
    after["charge"] = after["minutes"] / 2
    assert {r.feature for r in compare_pairs(UNKNOWN, before, after, ALPHA).drifted} >= {"minutes"}
    assert not [r for r in compare_pairs(KNOWN, before, after, ALPHA).drifted if r.aspect != "range"]
    after["minutes"] = before["minutes"] + 150
    assert "minutes" in {r.feature for r in compare_pairs(KNOWN, before, after, ALPHA).drifted}


def test_a_level_that_months_share_out_anew_is_no_move() -> None:
    shares = 0.3 + 0.1 * np.cos(np.arange(12))
    rng = np.random.default_rng(3)
    reference = history(np.zeros(12))
    reference["plan"] = (rng.random(len(reference)) < np.repeat(shares, 250)).astype(float)
    known = ReferenceProfile.of(reference, SMALL)
    unknown = ReferenceProfile.of(reference.drop(columns=MONTH), SMALL)
    before = of_month(1_000, 0.0, 6)
    after = before.assign(plan=np.where(rng.random(1_000) < 0.08, 1.0, before["plan"]))
    for profile, expected in ((unknown, ["plan"]), (known, [])):
        assert [r.feature for r in compare_pairs(profile, before, after, ALPHA).drifted] == expected
    window = before.assign(plan=(rng.random(1_000) < 0.4).astype(float))
    for profile, expected in ((unknown, ["plan"]), (known, [])):
        assert [r.feature for r in detect_drift(profile, window, SMALL, ALPHA).drifted] == expected


def test_newcomers_of_another_month_are_no_others() -> None:
    earlier, now = of_month(400, SEASON[6], 1), of_month(400, SEASON[0], 2)
    launched = now.assign(plan=(np.random.default_rng(4).random(400) < 0.7).astype(float))
    nothing: set[str] = set()
    for profile, usage in ((UNKNOWN, {"minutes", "charge"}), (KNOWN, nothing)):
        sums = [sum_up(customers, earlier, profile) for customers in (earlier, now, launched)]
        assert {r.feature for r in compare_cohorts(profile, sums[0], sums[1], ALPHA).drifted} == usage
        assert {r.feature for r in compare_cohorts(profile, sums[0], sums[2], ALPHA).drifted} == usage | {"plan"}


def test_few_months_and_small_ones_say_nothing_and_all_is_as_without() -> None:
    window = of_month(2_000, SEASON[0], 77)
    few = REFERENCE.assign(**{MONTH: REFERENCE[MONTH].where(REFERENCE[MONTH] < YEAR[MIN_MONTHS - 1])})
    small = REFERENCE.assign(**{MONTH: [f"2025-{n % 12 + 1:02}" if n < 400 else None for n in range(len(REFERENCE))]})
    for reference in (few, small):
        profile = ReferenceProfile.of(reference, SMALL)
        assert profile.months == Months()
        assert detect_drift(profile, window, SMALL, ALPHA) == detect_drift(UNKNOWN, window, SMALL, ALPHA)
        assert compare_pairs(profile, window, window[::-1], ALPHA) == compare_pairs(UNKNOWN, window, window[::-1], ALPHA)
    assert len(ReferenceProfile.of(REFERENCE[REFERENCE[MONTH] <= YEAR[MIN_MONTHS - 1]], SMALL).months.sums) == MIN_MONTHS


def test_months_never_make_a_test_more_surprising() -> None:
    window = of_month(300, 5.0, 9)
    with_months, without = (detect_drift(profile, window, SMALL, ALPHA) for profile in (KNOWN, UNKNOWN))
    values = [[r for r in report.results if r.aspect != "dependence"] for report in (with_months, without)]
    assert [r.key for r in values[0]] == [r.key for r in values[1]]
    assert all(known.p_value >= other.p_value for known, other in zip(*values, strict=True))


@pytest.mark.parametrize("months", [6, 12, 24])
def test_a_month_like_the_others_is_beyond_them_as_often_as_asked(months: int) -> None:
    rng = np.random.default_rng(months)
    trials = 40_000
    draws = rng.normal(5, 3, (months + 1, trials))
    known, mean, variance = spread_of(draws[:-1])
    z = as_z(np.abs(draws[-1] - mean), variance * (1 + 1 / known), variance, known)
    # Two-sided one in a hundred; four standard errors of the simulation.
    assert abs((z > 2.5758).mean() - 0.01) < 4 * np.sqrt(0.01 * 0.99 / trials)


def test_a_small_window_has_more_chance_in_it_than_a_month() -> None:
    def figures(month: object) -> tuple[np.ndarray, np.ndarray]:
        return np.array([next(values)]), np.array([1_000.0])

    found = []
    for rows in (10.0, 1_000.0, 100_000.0):
        values = iter([0.01, 0.02, 0.03, -0.01, -0.02, -0.03])
        months = replace(KNOWN.months, sums=KNOWN.months.sums[:6])
        found.append(months.beyond_usual(np.array([0.2]), np.array([rows]), figures, np.array([1.0]))[0])
    assert found[0] < found[1] == found[2]
