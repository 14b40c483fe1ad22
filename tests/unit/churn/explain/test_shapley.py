from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest

from churn.explain import shapley
from churn.explain.shapley import mixtures, shares


def by_all_orders(on: int, off: int, mixed: int, holds: int) -> list[float]:
    """Players are numbered: those of `on`, those of `off`, the mixed ones."""
    players = on + off + mixed
    values = [0.0] * players

    def worth(inside: set[int]) -> int:
        number = sum(1 << player for player in range(mixed) if on + off + player in inside)
        met = all(player in inside for player in range(on)) and not any(on + player in inside for player in range(off))
        return int(met and holds >> number & 1)

    for order in permutations(range(players)):
        inside: set[int] = set()
        for player in order:
            before = worth(inside)
            inside.add(player)
            values[player] += (worth(inside) - before) / factorial(players)
    return values


@pytest.mark.parametrize("on", range(3))
@pytest.mark.parametrize("off", range(3))
@pytest.mark.parametrize(("mixed", "holds"), [(0, 1), (1, 0b10), (1, 0b01), (2, 0b0110), (3, 0b10010111), (3, 0b11111111)])
def test_shares_are_the_mean_over_all_orders(on: int, off: int, mixed: int, holds: int) -> None:
    expected = by_all_orders(on, off, mixed, holds)
    share_on, share_off, *others = shares(on, off, mixed, holds)
    assert others == pytest.approx(expected[on + off :], abs=1e-15)
    assert [share_on] * on + [share_off] * off == pytest.approx(expected[: on + off], abs=1e-15)


def test_nobody_is_credited_who_is_not_there() -> None:
    assert shares(0, 0, 0, 1) == (0.0, 0.0)
    assert shares(1, 0, 0, 1) == (1.0, 0.0)
    assert shares(0, 1, 0, 1) == (0.0, -1.0)


def test_ten_of_each_kind_are_no_trouble() -> None:
    found = shares(10, 10, 10, (1 << 1024) - 1)
    assert found[0] == pytest.approx(factorial(9) * factorial(10) / factorial(20), rel=1e-12)
    assert found[1] == pytest.approx(-found[0], rel=1e-12)
    assert found[2:] == pytest.approx([0.0] * 10, abs=1e-15)


@pytest.mark.parametrize(("on", "off"), [(0, 0), (1, 0), (2, 1)])
def test_drawn_orders_share_out_exactly_what_there_is(on: int, off: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed, holds = 4, 0b1110_1000_1000_0001
    exact = np.array(shares(on, off, mixed, holds))
    mixtures.cache_clear()
    monkeypatch.setattr(shapley, "MAX_MIXED", 3)
    drawn = mixtures(on, off, mixed)
    mixtures.cache_clear()
    among = np.array([holds >> int(number) & 1 for number in drawn.inside @ (1 << np.arange(mixed))])
    found = drawn.weights @ among
    kinds = np.array([on, off, *[1] * mixed])
    assert found @ kinds == pytest.approx(exact @ kinds, abs=1e-12)
    assert found == pytest.approx(exact, abs=0.08)
    assert np.abs(found - exact).max() > 0
    assert not drawn.inside[0].any()
    assert drawn.inside[-1].all()
