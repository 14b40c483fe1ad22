from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from churn.segments.segments import MAX_CONTRIBUTION, Nearest, Segments, bounded

TWO = Segments(columns=["a", "b"], names=["high a", "typical"], centres=[[4.0, 0.0], [0.0, 0.0]], shares=[0.1, 0.9])


def test_a_customer_belongs_to_the_nearest_centre_and_of_two_to_the_first() -> None:
    assert [Nearest(TWO).of(row) for row in ([3.0, 1.0], [1.9, 9.0], [2.0, -5.0])] == [0, 1, 0]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=2))
def test_every_customer_belongs_to_one_segment(contributions: list[float]) -> None:
    near = bounded(np.array(contributions))
    distances = [float(((near - np.array(centre)) ** 2).sum()) for centre in TWO.centres]
    assert distances[Nearest(TWO).of(contributions)] <= min(distances) + 1e-9


def test_contributions_are_bounded() -> None:
    odd = np.array([math.inf, -math.inf, math.nan, 1.0])
    assert bounded(odd).tolist() == [MAX_CONTRIBUTION, -MAX_CONTRIBUTION, 0.0, 1.0]


def test_they_come_back_from_json() -> None:
    back = Segments.model_validate_json(TWO.model_dump_json())
    assert back == TWO
    assert Nearest(back).of([3.0, 1.0]) == 0


@pytest.mark.parametrize(
    "wrong",
    [{"names": ["a", "a"]}, {"centres": [[4.0, 0.0]]}, {"centres": [[4.0], [0.0]]}, {"centres": [[math.nan, 0.0], [0.0, 0.0]]}],
)
def test_what_does_not_fit_together_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Segments.model_validate({**TWO.model_dump(), **wrong})
