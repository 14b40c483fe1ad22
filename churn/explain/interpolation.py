"""Interpolated customers: each column within a sum has either the typical value or this customer's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.explain.shapley import MAX_MIXED, mixtures, shares

Floats = NDArray[np.float64]
# (index of a sum in the blend, or position of a member; low; high), which holds where low < value <= high.
Bounds = tuple[tuple[int, float, float], ...]
# Values are clipped to this: a sum may be infinite, and infinity times a share of 0 is NaN.
LARGEST = 1e300
# So few customers are faster compared one by one than ranked.
_BITS = tuple(1 << which for which in range(16))


class Blend:
    """Sums that one term reads; `members` are the positions of all columns in any of them."""

    def __init__(self, sums: Sequence[tuple[int, ...]], typical: Sequence[Any]) -> None:
        self.sums = list(sums)
        self.members = tuple(dict.fromkeys(at for parts in sums for at in parts))
        self.typical = typical

    def typical_total(self, number: int) -> float:
        """Return a sum of the typical customer."""
        return total_of(self.sums[number], self.typical)

    def mix(self, known: Sequence[Any]) -> Mixed:
        """Return the interpolated customers; only columns in which the two differ vary."""
        players = [at for at in self.members if known[at] != self.typical[at]]
        return (AllMixed if len(players) <= MAX_MIXED else DrawnMixed)(self, known, players)


def total_of(parts: Sequence[int], values: Sequence[Any]) -> float:
    """Add up in the order of `CompiledModel.logit`: a bound may lie on the sum's last digit.

    Parameters
    ----------
    parts : sequence of int
        Positions to add up.
    values : sequence of float

    Returns
    -------
    float
    """
    total = 0.0
    for at in parts:
        total += values[at]
    return total


class Mixed(ABC):
    """Interpolated customers; `players` are the positions of the columns that vary."""

    def __init__(self, blend: Blend, known: Sequence[Any], players: list[int]) -> None:
        self.blend, self.known, self.players = blend, known, players

    @abstractmethod
    def holds(self, sums: Bounds, members: Bounds) -> Any:
        """Return which interpolated customers lie within all bounds.

        Parameters
        ----------
        sums, members : Bounds

        Returns
        -------
        object
            A set of customers, for `ends` and `shares`; None if it is empty.
        """

    @abstractmethod
    def ends(self, holds: Any) -> tuple[bool, bool]:
        """Return whether the set has the typical customer, and whether it has the explained one."""

    @abstractmethod
    def shares(self, on: int, off: int, holds: Any) -> Sequence[float]:
        """Return Shapley values, as `churn.explain.shapley.shares`.

        Parameters
        ----------
        on, off : int
            Players outside the sums.
        holds : object
            As `holds` returns it.

        Returns
        -------
        sequence of float, shape (2 + n_players,)
        """

    @abstractmethod
    def totals(self, number: int) -> Sequence[float] | Floats:
        """Return one sum of each interpolated customer."""

    def ramp(self, low: float, high: float) -> tuple[float, list[tuple[int, float]]]:
        """Attribute the difference of the first sum, clipped, between the two customers.

        Parameters
        ----------
        low, high : float

        Returns
        -------
        difference : float
        shares : list of (int, float)
            Each player's position and share.
        """
        totals = self.totals(0)
        if low <= min(totals) and max(totals) <= min(high, LARGEST):
            return float(totals[-1] - totals[0]), [(at, self.known[at] - self.blend.typical[at]) for at in self.players]
        held = np.clip(np.clip(totals, low, high), -LARGEST, LARGEST)
        parts = (mixtures(0, 0, len(self.players)).weights[2:] @ held).tolist()
        return float(held[-1] - held[0]), list(zip(self.players, parts, strict=True))


class AllMixed(Mixed):
    """All interpolated customers: number s has player k's own value where bit k of s is 1. A set of them is an int, as bits."""

    def __init__(self, blend: Blend, known: Sequence[Any], players: list[int]) -> None:
        super().__init__(blend, known, players)
        self._everybody = (1 << (1 << len(players))) - 1
        self._totals: dict[int, list[float]] = {}
        self._ranked: dict[int, tuple[list[float], list[int]]] = {}

    def totals(self, number: int) -> list[float]:
        """See `Mixed`."""
        found = self._totals.get(number)
        if found is None:
            found = self._totals[number] = self._add_up(number)
        return found

    def _add_up(self, number: int) -> list[float]:
        parts, members, known, typical = self.blend.sums[number], self.blend.members, self.known, self.blend.typical
        totals = [0.0]
        for at in members:
            own, usual = (known[at], typical[at]) if at in parts else (0.0, 0.0)
            choices = (usual, own) if at in self.players else (own,)
            totals = [total + part for part in choices for total in totals]
        if len(self.blend.sums) > 1:
            # The members may then have another order than in the sum itself.
            totals[0], totals[-1] = total_of(parts, typical), total_of(parts, known)
        return totals

    def holds(self, sums: Bounds, members: Bounds) -> int | None:
        """See `Mixed`.

        Parameters
        ----------
        sums, members : Bounds

        Returns
        -------
        a set, or None
        """
        found = self._everybody
        for number, low, high in sums:
            totals = self.totals(number)
            if len(totals) <= len(_BITS):
                found &= sum([bit for total, bit in zip(totals, _BITS, strict=False) if low < total <= high])
                continue
            ascending, up_to = self._ranked.get(number) or self._rank(number)
            found &= up_to[bisect_right(ascending, high)] ^ up_to[bisect_right(ascending, low)]
        for at, low, high in members:
            own = low < self.known[at] <= high
            if at in self.players:
                changed = _changed(len(self.players), self.players.index(at))
                usual = low < self.blend.typical[at] <= high
                found &= own * changed | usual * (self._everybody ^ changed)
            else:
                found *= own
        return found or None

    def _rank(self, number: int) -> tuple[list[float], list[int]]:
        """Return the sums in ascending order, and the set of customers with one of the first n of them."""
        totals = self.totals(number)
        order = sorted(range(len(totals)), key=totals.__getitem__)
        up_to, found = [0], 0
        for which in order:
            found |= 1 << which
            up_to.append(found)
        ranked = self._ranked[number] = [totals[which] for which in order], up_to
        return ranked

    def ends(self, holds: int) -> tuple[bool, bool]:
        """See `Mixed`."""
        return holds & 1 == 1, holds > self._everybody >> 1

    def shares(self, on: int, off: int, holds: int) -> Sequence[float]:
        """See `Mixed`.

        Parameters
        ----------
        on, off : int
        holds : set of customers

        Returns
        -------
        sequence of float
        """
        return shares(on, off, len(self.players), holds)


@lru_cache(maxsize=128)
def _changed(players: int, player: int) -> int:
    """Return the set of interpolated customers that have this player's own value."""
    return sum(1 << which for which in range(1 << players) if which >> player & 1)


class DrawnMixed(Mixed):
    """Interpolated customers along randomly drawn orders: the first is the typical customer, the last the explained one."""

    def totals(self, number: int) -> Floats:
        """See `Mixed`."""
        inside = mixtures(0, 0, len(self.players)).inside
        totals = np.zeros(len(inside))
        with np.errstate(over="ignore"):
            for at in self.blend.sums[number]:
                own, usual = self.known[at], self.blend.typical[at]
                totals += np.where(inside[:, self.players.index(at)], own, usual) if at in self.players else own
        return totals

    def holds(self, sums: Bounds, members: Bounds) -> NDArray[np.bool_] | None:
        """See `Mixed`.

        Parameters
        ----------
        sums, members : Bounds

        Returns
        -------
        a set, or None
        """
        inside = mixtures(0, 0, len(self.players)).inside
        found = np.ones(len(inside), np.bool_)
        for number, low, high in sums:
            totals = self.totals(number)
            found &= (low < totals) & (totals <= high)
        for at, low, high in members:
            own, usual = low < self.known[at] <= high, low < self.blend.typical[at] <= high
            found &= np.where(inside[:, self.players.index(at)], own, usual) if at in self.players else own
        return found if found.any() else None

    def ends(self, holds: NDArray[np.bool_]) -> tuple[bool, bool]:
        """See `Mixed`."""
        return bool(holds[0]), bool(holds[-1])

    def shares(self, on: int, off: int, holds: NDArray[np.bool_]) -> Sequence[float]:
        """See `Mixed`.

        Parameters
        ----------
        on, off : int
        holds : set of customers

        Returns
        -------
        sequence of float
        """
        found: list[float] = (mixtures(on, off, len(self.players)).weights @ holds).tolist()
        return found
