"""All interpolated customers, or a draw of them: each column within a sum has either the typical value or this customer's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.explain.mixed import UNCHANGED, Mixed, Sums, total_of
from churn.explain.rule_bits import Bounds, Outcome, PlannedRule
from churn.explain.shapley import MAX_MIXED, mixtures, shares

Floats = NDArray[np.float64]
# So few customers are faster compared one by one than ranked.
_BITS = tuple(1 << which for which in range(16))


class Blend(Sums):
    """Sums that one term reads, and how they are mixed for one customer."""

    def mix(self, known: Sequence[Any]) -> Mixed:
        """Return the interpolated customers; only columns in which the two differ vary."""
        players = self.players(known)
        return (AllMixed if len(players) <= MAX_MIXED else DrawnMixed)(self, known, players)

    def players(self, known: Sequence[Any]) -> tuple[int, ...]:
        """Return the columns in which a customer and the typical one differ."""
        typical = self.typical
        return tuple([at for at in self.members if known[at] != typical[at]])

    def totals(self, number: int, known: Sequence[Any], players: Sequence[int]) -> list[float]:
        """Return one sum of all interpolated customers.

        Parameters
        ----------
        number : int
            Of the sum.
        known : sequence
            The customer's values.
        players : sequence of int
            The columns that vary.

        Returns
        -------
        list of float, length 2 ** n_players
            In the order of `AllMixed`.
        """
        typical, parts = self.typical, self.sums[number]
        totals = [0.0]
        for at in self.members:
            own, usual = (known[at], typical[at]) if at in parts else (0.0, 0.0)
            if at not in players:
                totals = [total + own for total in totals]
            elif len(totals) == 1:
                totals = [totals[0] + usual, totals[0] + own]
            else:
                totals = [total + usual for total in totals] + [total + own for total in totals]
        if len(self.sums) > 1:
            # The members may then have another order than in the sum itself.
            totals[0], totals[-1] = total_of(parts, typical), total_of(parts, known)
        return totals


class AllMixed(Mixed):
    """All interpolated customers: number s has player k's own value where bit k of s is 1. A set of them is an int, as bits."""

    def __init__(self, blend: Blend, known: Sequence[Any], players: tuple[int, ...]) -> None:
        super().__init__(blend, known, players)
        self.blend: Blend = blend
        self._everybody = (1 << (1 << len(players))) - 1
        self._totals: dict[int, list[float]] = {}
        self._at_most: dict[tuple[int, float], int] = {}
        self._ranked: dict[int, tuple[list[float], list[int]]] = {}

    def totals(self, number: int) -> list[float]:
        """See `Mixed`."""
        found = self._totals.get(number)
        if found is None:
            found = self._totals[number] = self.blend.totals(number, self.known, self.players)
        return found

    def outcome(self, rule: PlannedRule, field: int) -> Outcome:
        """See `Mixed`. Few sets of customers occur, so that what was worked out once is kept.

        Parameters
        ----------
        rule : PlannedRule
        field : int

        Returns
        -------
        Outcome
        """
        holds = self.holds(rule.sums, rule.members)
        if holds is None:
            return UNCHANGED
        key = field, holds, self.players
        return rule.mixed_outcomes.get(key) or rule.keep(key, self._share_out(rule, field, holds))

    def holds(self, sums: Bounds, members: Bounds) -> int | None:
        """See `Mixed`.

        Parameters
        ----------
        sums, members : Bounds

        Returns
        -------
        a set, or None
        """
        found, at_most = self._everybody, self._at_most
        for number, low, high in sums:
            if high != inf:
                within = at_most.get((number, high))
                found &= self._up_to(number, high) if within is None else within
            within = at_most.get((number, low))
            found &= ~(self._up_to(number, low) if within is None else within)
        for at, low, high in members:
            own = low < self.known[at] <= high
            if at in self.players:
                changed = _changed(len(self.players), self.players.index(at))
                usual = low < self.blend.typical[at] <= high
                found &= own * changed | usual * (self._everybody ^ changed)
            else:
                found *= own
        return found or None

    def _up_to(self, number: int, bound: float) -> int:
        """Return the set of customers whose sum does not exceed a bound, and keep it: rules often share one."""
        totals = self.totals(number)
        if bound == -inf and min(totals) > bound:
            found = 0
        elif len(totals) <= len(_BITS):
            found = sum([bit for total, bit in zip(totals, _BITS, strict=False) if total <= bound])
        else:
            ascending, up_to = self._ranked.get(number) or self._rank(number)
            found = up_to[bisect_right(ascending, bound)]
        self._at_most[number, bound] = found
        return found

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
