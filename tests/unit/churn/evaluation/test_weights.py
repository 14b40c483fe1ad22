"""Rows that stand for others: how often each is repeated, and how many there are in effect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.evaluation.weights import copies, effective_size, repeated_size

WEIGHTS = st.lists(st.one_of(st.just(0.0), st.just(float("nan")), st.floats(1, 50)), min_size=1, max_size=40)


@given(WEIGHTS)
def test_sums_of_copies_are_those_of_the_weights_in_every_beginning(weights: list[float]) -> None:
    weight = np.array(weights)
    found = copies(weight)
    assert found.dtype == np.int64
    assert (found >= 0).all()
    assert np.abs(np.cumsum(found) - np.cumsum(np.nan_to_num(weight))).max() <= 0.5 + 1e-5
    assert not found[np.nan_to_num(weight) == 0].any(), "who says nothing is not repeated"
    assert found[np.nan_to_num(weight) > 0].min(initial=1) >= 1, "and who says something is there"


@pytest.mark.parametrize(("parts", "whole"), [(3, 10), (7, 22), (6, 100)])
def test_equal_weights_make_up_the_whole(parts: int, whole: int) -> None:
    assert copies(np.full(parts, whole / parts)).sum() == whole


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.floats(0.1, 10))
def test_the_effective_size_depends_on_no_unit_and_is_largest_for_equal_weights(weights: list[float], unit: float) -> None:
    weight = np.array(weights)
    size = effective_size(weight)
    assert 1 - 1e-9 <= size <= len(weights) + 1e-9
    assert effective_size(unit * weight) == pytest.approx(size)
    assert effective_size(np.full(len(weights), unit)) == pytest.approx(len(weights))
    assert effective_size(np.append(weight, [0.0, np.nan])) == pytest.approx(size)


def test_of_nothing_the_effective_size_is_0() -> None:
    assert effective_size(np.array([0.0, np.nan])) == 0.0
    assert effective_size(np.zeros(0)) == 0.0


def test_repeated_rows_weigh_as_their_numbers_do() -> None:
    assert repeated_size(np.array([3, 3, 1, 3])) == pytest.approx(effective_size(np.array([3.0, 1.0])))
