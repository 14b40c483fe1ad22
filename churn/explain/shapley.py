"""Shapley values of games whose worth is 0 or 1: a rule holds once some players have joined and as long as others have not.

The worth of a set of players is 1 if all of `on` are in it, none of `off` is, and the `mixed` ones in it are a set that holds;
else 0.
A rule is such a game: columns of a customer switch its conditions on and off, and the parts of a sum meet its bounds in some
mixtures and not in others. A player's Shapley value is its marginal worth, averaged over all orders in which the players may come
(Shapley, A Value for n-Person Games, 1953). Players of `on`, and those of `off`, only differ in name, so that only the mixed
ones have to be gone through: without any, `on` players get (p-1)! q! / (p+q)! each, and `off` players -p! (q-1)! / (p+q)!.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
# With more mixed players there are too many sets; then so many orders are drawn. The sum of all shares stays exact.
MAX_MIXED, ORDERS = 10, 256


@dataclass(frozen=True)
class Mixtures:
    """Sets of mixed players, and the weight of each.

    Attributes
    ----------
    inside : numpy.ndarray of bool, shape (n_sets, n_mixed)
        Membership. If all sets are there, player k is in set s where bit k of s is 1.
    weights : numpy.ndarray of float64, shape (2 + n_mixed, n_sets)
        Times the worth of each set: the share of one `on` player, of one `off` player, of each mixed player.
    """

    inside: Bools
    weights: Floats


@lru_cache(maxsize=64)
def mixtures(on: int, off: int, mixed: int) -> Mixtures:
    """Return the sets of mixed players: all of them, or those along randomly drawn orders.

    Parameters
    ----------
    on, off, mixed : int
        Number of players of each kind.

    Returns
    -------
    Mixtures
    """
    players = on + off + mixed
    # How likely it is that exactly these come before one player, when the order is drawn: by how many mixed ones are before.
    before = [_probability_of_order(on + size, players) for size in range(mixed + 1)]
    share_on = [_probability_of_order(on + size - 1, players) if on else 0.0 for size in range(mixed + 1)]
    share_off = [-share if off else 0.0 for share in before]
    if mixed <= MAX_MIXED:
        inside = (np.arange(2**mixed)[:, None] >> np.arange(mixed)) & 1 == 1
        size = inside.sum(axis=1)
        gained, lost = np.array([0.0, *before[:-1]])[size], np.array(before)[size]
        alike = np.array([share_on, share_off])[:, size]
        return Mixtures(inside, np.vstack([alike, np.where(inside.T, gained, -lost)]))
    ways = [comb(mixed, size) / ORDERS for size in range(mixed + 1)]
    steps = [mixed * comb(mixed - 1, size) / ORDERS * before[size] for size in range(mixed)]
    rng = np.random.default_rng(0)
    inside = np.zeros((ORDERS, mixed + 1, mixed), np.bool_)
    weights = np.zeros((2 + mixed, ORDERS, mixed + 1))
    weights[0], weights[1] = np.multiply(ways, share_on), np.multiply(ways, share_off)
    for number in range(ORDERS):
        for size, player in enumerate(rng.permutation(mixed)):
            inside[number, size + 1 :, player] = True
            weights[2 + player, number, size] -= steps[size]
            weights[2 + player, number, size + 1] += steps[size]
    return Mixtures(inside.reshape(-1, mixed), weights.reshape(2 + mixed, -1))


def _probability_of_order(first: int, players: int) -> float:
    """Return the probability that a given set of `first` players comes first, then a given one, then all the others."""
    others = players - 1 - first
    return factorial(first) * factorial(others) / factorial(players) if others >= 0 else 0.0


@lru_cache(maxsize=4096)
def shares(on: int, off: int, mixed: int, holds: int) -> tuple[float, ...]:
    """Return the Shapley value of one `on` player, of one `off` player (0 if there is none), and of each mixed player.

    Parameters
    ----------
    on, off, mixed : int
        Number of players of each kind; at most `MAX_MIXED` mixed ones.
    holds : int
        Bit s is 1 if the set s of mixed players holds; player k is in set s where bit k of s is 1.

    Returns
    -------
    tuple of float, shape (2 + mixed,)

    Examples
    --------
    Of two players that are both needed each has half the value; of two either of which is enough, too:

    >>> shares(2, 0, 0, 0b1), shares(0, 0, 2, 0b1110)
    ((0.5, 0.0), (0.0, 0.0, 0.5, 0.5))
    """
    sets = 2**mixed
    bits = np.unpackbits(np.frombuffer(holds.to_bytes(max(1, sets // 8), "little"), np.uint8), count=sets, bitorder="little")
    return tuple((mixtures(on, off, mixed).weights @ bits).tolist())
