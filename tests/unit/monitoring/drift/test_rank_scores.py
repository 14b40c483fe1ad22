"""Scores of ranks: of the reference itself they are standard, and each measures what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitoring.drift.rank_scores import RankScores

WHOLE = st.lists(st.integers(-5, 20).map(float), min_size=2, max_size=60).filter(lambda values: len(set(values)) > 1)


def fitted(values: object, orders: int = 4) -> RankScores:
    scores = RankScores.of(np.asarray(values, dtype=np.float64), orders)
    assert scores is not None
    return scores


@given(WHOLE)
@settings(max_examples=40)
def test_over_the_reference_each_score_has_mean_0_and_spread_1(values: list[float]) -> None:
    scores = fitted(values).of_column(np.array(values)).astype(np.float64)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scores.std(axis=0), 1, atol=1e-4)


@given(WHOLE, WHOLE)
@settings(max_examples=40)
def test_the_mean_of_the_first_is_the_mann_whitney_statistic(values: list[float], window: list[float]) -> None:
    first = fitted(values, 1).of_column(np.array(window))[:, 0].astype(np.float64)
    u = stats.mannwhitneyu(window, values).statistic / len(values) / len(window)
    ranks = (stats.rankdata(values) - 0.5) / len(values)
    np.testing.assert_allclose(first.mean(), (u - 0.5) / ranks.std(), atol=1e-4)


def test_without_two_values_there_are_no_scores() -> None:
    assert RankScores.of(np.array([])) is None
    assert RankScores.of(np.array([3.0, 3.0, np.nan])) is None
    assert RankScores.of(np.array([3.0, 4.0, np.nan])) is not None


@pytest.mark.parametrize(("distinct", "scores", "pairs"), [(2, 2, 1), (3, 3, 2), (4, 4, 2), (5, 5, 2), (9, 5, 2)])
def test_few_values_have_few_scores(distinct: int, scores: int, pairs: int) -> None:
    # One for each polynomial that can be told apart, and the value itself.
    found = fitted(np.array([0, 1, 3, 4, 8, 9, 11, 15, 30.0])[:distinct])
    assert (found.table.shape, found.table.dtype) == ((2 * distinct + 1, scores), np.float32)
    assert found.kinds == ("location", *["shape"] * (scores - 2), "location")
    assert found.pair_orders == pairs
    assert fitted(np.arange(9.0), 1).kinds == ("location", "location")


def test_missing_counts_as_the_mean_and_an_outlier_no_more_than_the_largest() -> None:
    found = fitted(np.arange(100.0))
    scores = found.of_column(np.array([np.nan, 98.9, 1e12, -1e12, np.inf, 0.0]))
    assert scores[0].tolist() == [0.0] * 5
    np.testing.assert_allclose(scores[2], scores[4])
    assert np.abs(scores).max() < 4
    # The order of values is the order of the first and the last score.
    assert scores[3, 0] < scores[5, 0] < scores[1, 0] < scores[2, 0]
    assert scores[3, -1] <= scores[5, -1] < scores[1, -1] <= scores[2, -1]


def test_a_value_between_two_of_the_reference_lies_between_their_scores() -> None:
    found = fitted([0.0, 10.0, 20.0, 30.0])
    at, between, after = found.of_column(np.array([10.0, 13.0, 20.0]))[:, 0]
    assert at < between < after
    # Wherever between them: ranks know no distance. The last score does.
    assert np.array_equal(found.of_column(np.array([13.0])), found.of_column(np.array([19.0])))
    low, high = found.of_column(np.array([10.0, 20.0]))[:, -1]
    assert found.of_column(np.array([13.0]))[0, -1] == pytest.approx((low + high) / 2, abs=1e-5)


def test_the_last_score_is_the_value_itself_but_for_a_thousandth_at_each_end() -> None:
    values = np.concatenate([np.arange(1, 5_001.0), [1e9]])
    scores = fitted(values).of_column(values)[:, -1].astype(np.float64)
    assert np.corrcoef(scores[:4_990], values[:4_990])[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert scores[-1] < scores[-20] * 1.1


def test_spread_is_seen_by_the_second_score_and_not_by_the_first() -> None:
    found = fitted(np.arange(101.0))
    wide = np.array([0.0, 100.0] * 10)
    means = found.of_column(wide).mean(axis=0)
    assert abs(means[0]) < 1e-5
    assert means[1] > 1.5
    assert found.of_column(np.full(3, 50.0)).mean(axis=0)[1] < -1


def test_a_column_has_scores_of_location_spread_skewness_and_tails() -> None:
    found = RankScores.of(np.arange(100.0))
    assert found is not None
    assert found.table.shape == (201, 4 + 1), "and of the value itself"
    assert RankScores.of(np.array([1.0, 1.0, np.nan])) is None
