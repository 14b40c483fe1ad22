"""Scores of slices: parts add up, the reference differs from itself by nothing, and a slice's size plays no part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import SliceParams
from monitoring.drift.rank_scores import RankScores
from monitoring.drift.slice_scores import SliceScores
from monitoring.slicing import Slicing
from tests.unit.monitoring.grouped import CONTRACT, draw

REFERENCE = draw(1_200, 1)
FITTED = {name: RankScores.of(REFERENCE[name].to_numpy()) for name in ("minutes", "churn_probability")}
NUMBERS = {name: scores for name, scores in FITTED.items() if scores is not None}
SCORES = SliceScores.of(REFERENCE, Slicing.of(REFERENCE, CONTRACT, SliceParams()), NUMBERS)


def differences(window: pd.DataFrame) -> np.ndarray:
    return SCORES.differences(SCORES.sum_up(window), len(window), len(REFERENCE))


def test_the_sums_of_parts_add_up_to_those_of_the_whole() -> None:
    window = draw(300, 2)
    parts = SCORES.sum_up(window.iloc[:100]).plus(SCORES.sum_up(window.iloc[100:]))
    for part, whole in zip(parts, SCORES.sum_up(window), strict=True):
        np.testing.assert_allclose(part, whole)


def test_a_reference_does_not_differ_from_itself() -> None:
    np.testing.assert_allclose(differences(REFERENCE), 0.0, atol=1e-9)


def test_sums_say_the_same_as_the_scores_of_rows() -> None:
    window = draw(300, 2)
    expected = SCORES.of_rows(window).mean(axis=0) / SCORES.spreads
    np.testing.assert_allclose(differences(window), expected, rtol=1e-4, atol=1e-5)


def test_a_slice_that_is_larger_and_otherwise_the_same_differs_by_nothing() -> None:
    north = REFERENCE[REFERENCE["area"] == "north"]
    moved = differences(pd.concat([REFERENCE, north, north], ignore_index=True))
    of_north = [test for test, (place, _) in enumerate(SCORES.tests) if SCORES.slicing.rules[place].level == "north"]
    assert of_north
    np.testing.assert_allclose(moved[of_north], 0.0, atol=1e-9)


def test_missing_values_count_for_nothing() -> None:
    window = draw(300, 2).assign(minutes=np.nan)
    at = [test for test, (_, column) in enumerate(SCORES.tests) if column == list(NUMBERS).index("minutes")]
    assert at
    assert differences(window)[at] == pytest.approx(0.0)
