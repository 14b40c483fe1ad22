from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitoring.drift import comparisons as module
from monitoring.drift.comparisons import KEPT_BACK, SHARES, _shares, compare_all
from monitoring.drift.profile import ReferenceProfile
from tests.unit.monitoring.drift.small import PROFILE, REFERENCE, SMALL, frame_of

ALPHA = 0.01


def compare(window, profile=PROFILE):
    return compare_all(profile, profile.summarise([window]), ALPHA)


def test_families_share_alpha_and_leave_theirs_to_the_others_where_they_have_no_test():
    others = {family: share for family, share in SHARES.items() if family != "slices"}
    assert sum(others.values()) == 1.0
    every = _shares(set(SHARES))
    assert every == {family: pytest.approx(share * 0.8 / 1.1) for family, share in SHARES.items()}
    # Where there are no slices, nothing is otherwise, to the last bit.
    without = _shares(set(others))
    assert all(without[family] == share * (1 - KEPT_BACK) for family, share in others.items())
    some = _shares({"levels", "faults"})
    assert some["levels"] + some["faults"] == pytest.approx(1 - KEPT_BACK)
    assert some["levels"] / some["faults"] == pytest.approx(2.5)
    assert _shares(set())["levels"] == pytest.approx(0.25 * 0.8)


def test_a_report_counts_its_tests_and_has_the_smallest_p_value_in_the_contract_s_order():
    window = frame_of(200, seed=6)
    report = compare(window)
    assert (report.alpha, report.rows, report.reference_rows) == (ALPHA, 200, 600)
    assert not report.alarm
    names = ["minutes", "charge", "calls", "plan", "state", "churn_probability"]
    order = [(names.index(one.feature), one.aspect) for one in report.results]
    assert order == sorted(order)
    assert report.p_value == min(one.p_value for one in report.results)
    # Four numbers; a flag and a category; nothing missing, broken or out of range, which no test could tell; all pairs.
    out_of_range = sum(one.aspect == "range" and one.method != "none" for one in report.results)
    assert report.tests == 4 + 2 + out_of_range + len(PROFILE.pairs)


def test_nothing_to_compare_is_no_test_and_no_drift():
    report = compare(REFERENCE.iloc[:0])
    assert (report.p_value, report.tests, report.alarm) == (1.0, 0, False)
    assert {one.method for one in report.results} == {"none"}


def test_what_two_columns_that_moved_have_to_do_with_each_other_is_no_news():
    window = frame_of(300, seed=5)
    window["charge"] = np.random.default_rng(0).uniform(30, 50, 300)
    one_moved = {(one.feature, one.other) for one in compare(window).drifted if one.aspect == "dependence"}
    assert ("minutes", "charge") in one_moved
    window["minutes"] = np.random.default_rng(1).uniform(60, 100, 300)
    both_moved = {(one.feature, one.other) for one in compare(window).results if one.aspect == "dependence"}
    assert ("minutes", "charge") not in both_moved


def test_a_small_reference_does_not_show_what_hangs_together(monkeypatch):
    window = frame_of(300, seed=5)
    window["charge"] = window["charge"].sample(frac=1, random_state=0).to_numpy()
    assert compare(window).joint_alarm
    monkeypatch.setattr(module, "MIN_ROWS_FOR_PAIRS", 600)
    assert compare(window).joint_alarm
    monkeypatch.setattr(module, "MIN_ROWS_FOR_PAIRS", 601)
    report = compare(window.drop(columns=["minutes"]))
    assert not any(one.aspect == "dependence" for one in report.results)


def test_a_column_that_the_model_ignores_is_a_note():
    window = frame_of(300, seed=5)
    window["calls"] = 3.0
    report = compare(window)
    calls = next(one for one in report.drifted if (one.feature, one.aspect) == ("calls", "values"))
    assert calls.note
    assert not report.covariate_alarm
    unknown = replace(PROFILE, weights=None)
    assert compare(window, unknown).covariate_alarm
    assert ReferenceProfile.of(REFERENCE, SMALL).weights is not None
