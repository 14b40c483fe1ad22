"""Interpolated customers: each column of a sum is the typical one's or this customer's own, all of them or a draw."""

from __future__ import annotations

from itertools import product
from math import inf
from typing import Any

import numpy as np
import pytest

from churn.explain.interpolation import AllMixed, Blend, DrawnMixed
from churn.explain.shapley import MAX_MIXED, mixtures

TYPICAL = [1.0, 2.0, 4.0, 8.0, 16.0]
KNOWN = [3.0, 2.0, 0.0, 9.0, 16.0]
BOUNDS = (-inf, 3.0, 5.0, 7.0, 9.0, 13.0, 15.0, inf)


def mixed(blend: Blend) -> list[list[float]]:
    """Return all customers in the order of `AllMixed`."""
    players = blend.players(KNOWN)
    found = []
    for number in range(2 ** len(players)):
        own = {at for bit, at in enumerate(players) if number >> bit & 1}
        found.append([KNOWN[at] if at in own else TYPICAL[at] for at in range(len(TYPICAL))])
    return found


@pytest.fixture
def blend() -> Blend:
    return Blend([(0, 1, 2), (3, 0)], TYPICAL)


def test_columns_that_differ_are_the_players_and_sums_are_of_their_own_columns(blend: Blend) -> None:
    assert (blend.members, blend.players(KNOWN)) == ((0, 1, 2, 3), (0, 2, 3))
    customers = mixed(blend)
    for number, parts in enumerate(blend.sums):
        assert blend.totals(number, KNOWN, (0, 2, 3)) == [sum(one[at] for at in parts) for one in customers]
        assert blend.typical_total(number) == sum(TYPICAL[at] for at in parts)


def test_who_lies_within_all_bounds(blend: Blend) -> None:
    found = AllMixed(blend, KNOWN, blend.players(KNOWN))
    customers = mixed(blend)
    for low, high in product(BOUNDS, BOUNDS):
        bounds, members = ((0, low, high), (1, 5.0, 11.0)), ((2, -1.0, 3.9), (1, 1.9, 2.0))
        inside = [
            low < one[0] + one[1] + one[2] <= high and 5 < one[3] + one[0] <= 11 and -1 < one[2] <= 3.9 and 1.9 < one[1] <= 2
            for one in customers
        ]
        expected = sum(1 << number for number, held in enumerate(inside) if held)
        assert found.holds(bounds, members) == (expected or None), (low, high)
    assert found.holds((), ()) == 255
    assert found.holds((), ((1, 2.0, inf),)) is None, "a column in which nobody differs"


def test_the_typical_customer_is_first_and_the_explained_one_last(blend: Blend) -> None:
    found: Any = AllMixed(blend, KNOWN, blend.players(KNOWN))
    assert [found.ends(holds) for holds in (0b1, 0b1000_0000, 0b1000_0001, 0b0111_1110)] == [
        (True, False),
        (False, True),
        (True, True),
        (False, False),
    ]


def test_a_sum_of_many_columns_is_ranked_to_the_same_sets() -> None:
    wide = Blend([tuple(range(6))], [0.0] * 6)
    known = [1.0, 2.0, 4.0, 8.0, -3.0, 4.0]
    found = AllMixed(wide, known, wide.players(known))
    totals = wide.totals(0, known, tuple(range(6)))
    assert len(totals) == 64
    for bound in (-3.5, -3.0, 0.0, 4.0, 7.5, 19.0, 20.0):
        expected = sum(1 << number for number, total in enumerate(totals) if total <= bound)
        assert (found.holds(((0, -inf, bound),), ()) or 0) == expected
        assert (found.holds(((0, bound, inf),), ()) or 0) == (1 << 64) - 1 - expected


@pytest.mark.parametrize(("low", "high"), [(-100.0, 100.0), (4.0, 7.0), (7.0, 7.0), (6.5, inf)])
def test_a_ramp_is_shared_out_whole(low: float, high: float) -> None:
    blend = Blend([(0, 1, 2)], TYPICAL)
    gain, parts = AllMixed(blend, KNOWN, blend.players(KNOWN)).ramp(low, high)
    assert gain == min(max(5.0, low), high) - min(max(7.0, low), high)
    assert sum(share for _, share in parts) == pytest.approx(gain, abs=1e-12)
    assert [at for at, _ in parts] == [0, 2]


def test_many_columns_are_drawn_and_agree_with_their_own_customers() -> None:
    count = MAX_MIXED + 1
    blend = Blend([tuple(range(count + 1))], [0.0] * (count + 1))
    known = [float(n + 1) for n in range(count)] + [0.0]
    found = blend.mix(known)
    assert isinstance(found, DrawnMixed)
    assert isinstance(blend.mix([*known[:-2], 0.0, 0.0]), AllMixed)
    inside = mixtures(0, 0, count).inside
    totals = inside @ np.array(known[:count])
    np.testing.assert_allclose(found.totals(0), totals)
    middle = float(np.median(totals))
    np.testing.assert_array_equal(found.holds(((0, middle, inf),), ((0, 0.0, 1.0),)), (totals > middle) & inside[:, 0])
    np.testing.assert_array_equal(found.holds(((0, -inf, middle),), ((count, -1.0, 0.0),)), totals <= middle)
    assert found.holds(((0, inf, inf),), ()) is None
    assert found.ends(np.array([True, False, False])) == (True, False)
    assert found.ends(np.array([False, False, True])) == (False, True)
