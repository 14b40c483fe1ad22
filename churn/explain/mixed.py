"""What becomes of a rule over sums, given for which interpolated customers it holds: see `churn.explain.interpolation`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.explain.rule_bits import Bounds, Outcome, PlannedRule
from churn.explain.shapley import mixtures

Floats = NDArray[np.float64]
# Values are clipped to this: a sum may be infinite, and infinity times a share of 0 is NaN.
LARGEST = 1e300
# A share that is 0 may come out as a rounding error of the others.
NOTHING = 1e-13
UNCHANGED = Outcome((), 0.0)


class Sums:
    """Sums that one term reads; `members` are the positions of all columns in any of them."""

    def __init__(self, sums: Sequence[tuple[int, ...]], typical: Sequence[Any]) -> None:
        self.sums = list(sums)
        self.members = tuple(dict.fromkeys(at for parts in sums for at in parts))
        self.typical = typical

    def typical_total(self, number: int) -> float:
        """Return a sum of the typical customer."""
        return total_of(self.sums[number], self.typical)


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

    def __init__(self, blend: Sums, known: Sequence[Any], players: tuple[int, ...]) -> None:
        self.blend, self.known, self.players = blend, known, players

    def outcome(self, rule: PlannedRule, field: int) -> Outcome:
        """Return what becomes of a rule over these sums.

        Parameters
        ----------
        rule : PlannedRule
        field : int
            Its bits of the explained customer.

        Returns
        -------
        Outcome
        """
        holds = self.holds(rule.sums, rule.members)
        return UNCHANGED if holds is None else self._share_out(rule, field, holds)

    def _share_out(self, rule: PlannedRule, field: int, holds: Any) -> Outcome:
        on, off = rule.changes(field)
        weight = rule.weight
        share_on, share_off, *others = self.shares(len(on), len(off), holds)
        parts = [(at, weight * share) for at, share in zip(self.players, others, strict=True) if abs(share) > NOTHING]
        parts += [(at, weight * share_on) for at in on] + [(at, weight * share_off) for at in off]
        before, after = self.ends(holds)
        return Outcome(tuple(parts), weight * ((after and not off) - (before and not on)))

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
