"""Customers compared with themselves: no move without a reason, small moves of many found, no matter in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitoring.drift import paired
from monitoring.drift.detect import detect_drift
from monitoring.drift.paired import compare_pairs
from monitoring.drift.profile import ReferenceProfile
from tests.unit.monitoring.fakes import CONTRACT, customers

PROFILE = ReferenceProfile.of(customers(1500, 1), CONTRACT)
ALPHA = 0.005


def later(before: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same customers a bill later: usage moves and comes back to the mean, some change plan and state."""
    rng = np.random.default_rng(seed)
    fresh = customers(len(before), seed + 10_000)
    anew = rng.random(len(before)) < 0.05
    minutes = 180 + 0.8 * (before["minutes"] - 180) + 0.6 * (fresh["minutes"] - 180)
    moved = before.assign(minutes=minutes, calls=np.where(rng.random(len(before)) < 0.5, fresh["calls"], before["calls"]))
    return moved.assign(**{name: before[name].where(~anew, fresh[name]) for name in ("plan", "state")})


def test_customers_who_move_as_chance_has_it_rarely_alarm() -> None:
    alarms = 0
    for seed in range(100):
        before = customers(300, seed)
        alarms += compare_pairs(PROFILE, before, later(before, seed), 0.05).alarm
    assert alarms <= 10  # 5 expected at most; 11 and more have a chance of 1 % then


def test_a_small_move_of_all_is_found_where_two_groups_of_people_would_show_nothing() -> None:
    before = customers(1000, 3)
    after = later(before, 3)
    # Seven minutes fewer, with the reference's mean halfway. (Who stays comes back to more of them: test_staying.py.)
    middle = customers(1500, 1)["minutes"].mean()
    before["minutes"] += middle + 3.5 - before["minutes"].mean()
    after["minutes"] += middle - 3.5 - after["minutes"].mean()
    between_people = {r.feature: r for r in detect_drift(PROFILE, after, CONTRACT, ALPHA).results if r.aspect == "values"}
    assert not between_people["minutes"].drifted
    found = compare_pairs(PROFILE, before, after, ALPHA).drifted
    assert [result.feature for result in found] == ["minutes"]
    assert found[0].shift is not None
    assert -10 < found[0].shift < -4


def test_a_few_values_that_go_missing_and_a_plan_that_a_few_take_are_found() -> None:
    before = customers(1000, 4)
    after = before.copy()
    after.loc[:24, "calls"] = np.nan
    after.loc[100:130, "plan"] = 1.0
    found = {(r.feature, r.aspect): r for r in compare_pairs(PROFILE, before, after, ALPHA).drifted}
    assert set(found) == {("calls", "missing"), ("plan", "values")}
    assert found["calls", "missing"].current == 0.025
    assert found["plan", "values"].shift == 0.031


def test_who_only_changes_places_is_no_move() -> None:
    before = customers(500, 5)
    after = before.copy()
    after.loc[:249, "plan"], before.loc[250:, "plan"] = 1.0, 1.0
    after.loc[250:, "plan"] = 0.0
    assert not compare_pairs(PROFILE, before, after, ALPHA).drifted


def test_order_does_not_matter() -> None:
    before = customers(400, 6)
    after = later(before, 6).assign(minutes=lambda rows: rows["minutes"] + 20)
    order = np.random.default_rng(0).permutation(400)
    one = compare_pairs(PROFILE, before, after, ALPHA)
    other = compare_pairs(PROFILE, before.iloc[order].reset_index(drop=True), after.iloc[order].reset_index(drop=True), ALPHA)
    assert [(r.key, round(r.p_value, 9)) for r in one.results] == [(r.key, round(r.p_value, 9)) for r in other.results]


def test_nothing_to_compare_is_calm() -> None:
    rows = customers(100, 7)
    assert compare_pairs(PROFILE, rows, rows, ALPHA).results == ()
    assert not compare_pairs(PROFILE, rows.iloc[:0], rows.iloc[:0], ALPHA).alarm


@pytest.mark.parametrize(
    ("column", "level", "impact"),
    [("state", "OH", 0.5), ("state", "which the model does not weigh", 0.0), ("plan", "Yes", -0.75), ("other", "a", None)],
)
def test_the_impact_of_a_level_is_its_weight_times_what_its_share_moved_by(column: str, level: str, impact: float | None) -> None:
    flags = {"plan": SimpleNamespace(of_column=lambda values: values[:, None])}
    weights = SimpleNamespace(levels={"state": {"OH": 2.0}}, scores={"plan": [-3.0]})
    profile: Any = SimpleNamespace(weights=weights, flags=flags)
    named: Any = SimpleNamespace(name=column)
    assert paired._impact_of_level(profile, named, level, 0.25) == impact
    profile.weights = None
    assert paired._impact_of_level(profile, named, level, 0.25) is None
