"""Scores over the same folds: the interval lies around the mean, and a gain counts only if all of it is above nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from churn.diagnostics.fold_differences import gain_over_folds

SCORES = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=12)


@settings(max_examples=40)
@given(SCORES)
def test_the_interval_is_nadeau_and_bengios_around_the_mean(scores: list[tuple[float, float]]) -> None:
    worse, better = (np.array(side) for side in zip(*scores, strict=True))
    found, folds = gain_over_folds(worse, better), len(scores)
    gains = better - worse
    assert found.mean == pytest.approx(gains.mean(), abs=1e-12)
    reach = stats.t.ppf(0.975, folds - 1) * gains.std(ddof=1) * np.sqrt(1 / folds + 1 / (folds - 1))
    assert (found.low, found.high) == (pytest.approx(found.mean - reach, abs=1e-9), pytest.approx(found.mean + reach, abs=1e-9))
    turned = gain_over_folds(better, worse)
    assert (turned.mean, turned.low, turned.high) == pytest.approx((-found.mean, -found.high, -found.low), abs=1e-12)


@pytest.mark.parametrize(
    ("gains", "beyond"), [([0.1, 0.1, 0.1], True), ([0.0, 0.0], False), ([0.3, -0.1, 0.1], False), ([-0.1, -0.1], False)]
)
def test_a_gain_counts_if_all_of_its_interval_is_above_nothing(gains: list[float], beyond: bool) -> None:
    assert gain_over_folds(np.zeros(len(gains)), np.array(gains)).beyond_chance is beyond
