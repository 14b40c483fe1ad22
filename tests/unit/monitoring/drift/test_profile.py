"""A reference in a few arrays: what is summed is what a plain count of the rows gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.drift import profile as module
from monitoring.drift.profile import ReferenceProfile
from tests.unit.monitoring.drift.small import PROFILE, REFERENCE, SMALL, frame_of


def odd_window() -> pd.DataFrame:
    window = frame_of(300, seed=2)
    window.loc[0, "minutes"] = -5.0
    window.loc[1:2, "minutes"] = [200.0, np.inf]
    window.loc[3:6, "minutes"] = np.nan
    window.loc[7:8, "charge"] = [99.0, np.nan]
    window.loc[9:11, "plan"] = np.nan
    window.loc[12:13, "state"] = ["XX", None]
    return window


def test_what_of_each_column_is_kept() -> None:
    assert list(PROFILE.numbers) == ["minutes", "charge", "calls", "churn_probability"]
    assert list(PROFILE.flags) == ["plan"]
    assert PROFILE.ranges == {name: (REFERENCE[name].min(), REFERENCE[name].max()) for name in ("minutes", "charge", "calls")}
    assert (PROFILE.rows, PROFILE.sums.rows, len(PROFILE.sample)) == (600, 600, 600)
    assert PROFILE.score_columns == ("minutes",) * 5 + ("charge",) * 5 + ("calls",) * 4 + ("churn_probability",) * 5
    # The answer pairs with nothing; a flag has a location and no spread.
    assert PROFILE.pair_columns == ("minutes", "minutes", "charge", "charge", "calls", "calls", "plan")
    assert PROFILE.number_scores(REFERENCE).shape == (600, 19)
    assert PROFILE.pair_scores(REFERENCE).shape == (600, 7)


def test_pairs_are_all_scores_of_two_different_columns() -> None:
    owners = PROFILE.pair_columns
    expected = [(a, b) for a in range(7) for b in range(a + 1, 7) if owners[a] != owners[b]]
    assert list(PROFILE.pairs) == expected
    products = PROFILE.pair_scores(REFERENCE).astype(np.float64)
    assert PROFILE.pair_spreads == pytest.approx([np.std(products[:, a] * products[:, b]) for a, b in expected], rel=1e-4)


def test_a_window_in_sums_is_a_count_of_its_rows() -> None:
    window = odd_window()
    sums = PROFILE.summarise([window])
    low, high = PROFILE.ranges["minutes"]
    assert sums.rows == 300
    assert sums.columns == set(window)
    assert {name: sums.present[name] for name in window} == window.notna().sum().to_dict()
    assert (sums.below["minutes"], sums.above["minutes"]) == ((window["minutes"] < low).sum(), (window["minutes"] > high).sum())
    assert sums.above["minutes"] >= 2
    finite = window["minutes"].replace(np.inf, np.nan)
    assert sums.value_sums["minutes"] == pytest.approx(finite.sum())
    assert sums.levels["state"] == window["state"].value_counts().to_dict()
    assert sums.levels["plan"] == {str(level): n for level, n in window["plan"].value_counts().items()}
    gap = (window["charge"] - window["minutes"] * 0.5).abs()
    assert sums.related["charge"] == int(gap.notna().sum())
    assert sums.broken["charge"] == int((gap > 0.01 + 1e-9).sum()) == 4
    scores = PROFILE.number_scores(window).astype(np.float64)
    assert sums.scores == pytest.approx(scores.sum(axis=0), abs=1e-2)
    paired = PROFILE.pair_scores(window).astype(np.float64)
    assert sums.products == pytest.approx(paired.T @ paired, abs=1e-1)
    there = np.stack([window[name].notna() for name in PROFILE.pair_columns], axis=1).astype(float)
    assert sums.together == pytest.approx(there.T @ there)


def test_a_relation_holds_up_to_its_tolerance() -> None:
    window = frame_of(4, seed=1)
    window["charge"] = window["minutes"] / 2 + np.array([0.0, 0.0099, -0.0099, 0.0102])
    assert PROFILE.summarise([window]).broken["charge"] == 1


def test_the_order_of_parts_and_the_size_of_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    window = odd_window()
    expected = PROFILE.summarise([window])
    monkeypatch.setattr(module, "CHUNK_ROWS", 37)
    found = PROFILE.summarise([window.iloc[100:], window.iloc[:100]])
    assert (found.rows, found.present, found.levels, found.broken) == (300, expected.present, expected.levels, expected.broken)
    assert found.scores == pytest.approx(expected.scores, abs=1e-2)
    assert found.products == pytest.approx(expected.products, abs=1e-1)


def test_an_empty_window_has_its_columns_and_nothing_else() -> None:
    sums = PROFILE.summarise([REFERENCE.iloc[:0]])
    assert (sums.rows, sums.columns, sums.present.total()) == (0, set(REFERENCE), 0)
    assert PROFILE.summarise([]).columns == set()


def test_columns_that_the_reference_lacks_or_that_are_constant_have_no_scores() -> None:
    reference = REFERENCE.drop(columns=["charge", "churn_probability"]).assign(calls=3.0, plan=0.0)
    profile = ReferenceProfile.of(reference, SMALL)
    assert (list(profile.numbers), list(profile.flags)) == (["minutes"], [])
    assert set(profile.ranges) == {"minutes", "calls"}
    assert profile.pairs == ()
    assert profile.pair_spreads.size == 0
    assert profile.weights is None  # neither an answer nor an outcome
    empty = ReferenceProfile.of(REFERENCE.iloc[:0], SMALL)
    assert (empty.rows, empty.numbers, empty.ranges, empty.pairs) == (0, {}, {}, ())
    assert empty.calibrated(10, set()) == {}


def test_a_flag_s_sum_of_scores_follows_from_its_levels() -> None:
    window = odd_window()
    expected = PROFILE.flags["plan"].of_column(window["plan"].to_numpy(dtype=float))[:, 0].astype(float).sum()
    assert PROFILE.flag_total("plan", PROFILE.summarise([window])) == pytest.approx(expected, abs=1e-3)
    assert PROFILE.flag_total("plan", PROFILE.summarise([window.drop(columns="plan")])) == 0.0
    assert PROFILE.flag_total("plan", PROFILE.sums) == pytest.approx(0.0, abs=1e-3)


def test_pairs_of_an_absent_column_are_not_tested() -> None:
    owners = PROFILE.pair_columns
    usable = PROFILE.usable_pairs({"calls"})
    assert usable.tolist() == ["calls" not in (owners[a], owners[b]) for a, b in PROFILE.pairs]
    assert PROFILE.usable_pairs(set()).all()


def test_a_calibration_is_kept_for_windows_of_about_this_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.drift.null_distribution.DRAWS", 500)
    profile = ReferenceProfile.of(REFERENCE, SMALL)
    every = set(REFERENCE)
    first = profile.calibrated(300, every)
    assert set(first) == {"location", "shape", "dependence"}
    assert profile.calibrated(301, every) is first
    assert profile.calibrated(400, every) is not first
    without = profile.calibrated(300, every - {"minutes"})
    assert without is not first
    sizes = sorted(size for size, _ in profile.cache)
    assert all(size <= asked < size * 1.1 + 1 for size, asked in zip(sizes, (300, 300, 400), strict=True))
    alone = profile.calibrated(1, {"plan"})
    assert alone == {}


def test_many_columns_pair_by_location_alone_and_too_many_by_what_hangs_together_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FULL_PAIRS", 5)
    profile = ReferenceProfile.of(REFERENCE, SMALL)
    firsts = {0, 2, 4, 6}
    assert set(profile.pairs) == {(a, b) for a in firsts for b in firsts if a < b}
    monkeypatch.setattr(module, "MAX_PAIRS", 1)
    # Of all pairs, minutes and their charge.
    assert ReferenceProfile.of(REFERENCE, SMALL).pairs == ((0, 2),)
    monkeypatch.setattr(module, "MAX_FULL_PAIRS", 6)
    monkeypatch.setattr(module, "MAX_PAIRS", 5_000)
    assert ReferenceProfile.of(REFERENCE, SMALL).pairs == PROFILE.pairs


def test_a_large_reference_is_sampled_for_the_draws_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REFERENCE_ROWS", 100)
    first, second = (ReferenceProfile.of(REFERENCE, SMALL) for _ in range(2))
    assert (len(first.sample), first.rows, first.sums.rows) == (100, 600, 600)
    pd.testing.assert_frame_equal(first.sample, second.sample)
    assert first.sample.index.is_unique
