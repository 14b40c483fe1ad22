"""The rules of a model over columns outside sums, as bits of one integer: what a customer meets, of all rules at once.

A rule has a field of bits, one for each of its columns: 1 if the column's value meets the rule's conditions on it. The bit above
a field is its guard, and 0. Adding 1 to a field turns its guard on just if all of its bits are 1; adding a field of ones does so
just if any is. So one addition tells, of all rules, which ones hold, or which ones a customer meets otherwise than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from churn.explain.shapley import shares

# (index of a sum in the blend, or position of a member; low; high), which holds where low < value <= high.
Bounds = tuple[tuple[int, float, float], ...]
# So many outcomes of one rule over sums are kept.
MAX_OUTCOMES = 1024


class Outcome(NamedTuple):
    """What becomes of a rule for a customer.

    Attributes
    ----------
    parts : tuple of (int, float)
        Columns and their contributions; those of 0 are left out.
    gain : float
        The sum of all parts: the rule's weight if it holds for this customer and not for the typical one; or less it; or 0.
    """

    parts: tuple[tuple[int, float], ...]
    gain: float


class PlannedRule:
    """A rule: the columns outside its sums, its blend (-1: none), and the bounds on the blend's sums and members.

    Parameters
    ----------
    weight : float
    term : int
    columns : sequence of int
    usual : sequence of bool
        Whether the typical value of each column meets the conditions.
    blend : int
    sums, members : Bounds

    Attributes
    ----------
    shift, mask, guard : int
        Where its field is, as `RuleBits` says.
    outcomes, mixed_outcomes : dict
        What `outcome` and `churn.explain.interpolation` have worked out: no more than there are fields, and `MAX_OUTCOMES`.
    """

    def __init__(
        self, weight: float, term: int, columns: Sequence[int], usual: Sequence[bool], blend: int, sums: Bounds, members: Bounds
    ) -> None:
        self.weight, self.term, self.columns, self.usual = weight, term, tuple(columns), tuple(usual)
        self.blend, self.sums, self.members = blend, sums, members
        self.shift, self.mask, self.guard = 0, (1 << len(self.columns)) - 1, 1 << len(self.columns)
        self.outcomes: dict[int, Outcome] = {}
        self.mixed_outcomes: dict[tuple[int, int, tuple[int, ...]], Outcome] = {}

    def bit_of(self, at: int) -> int:
        """Return the bit of a column."""
        return 1 << self.shift + self.columns.index(at)

    def outcome(self, field: int) -> Outcome:
        """Return what becomes of the rule for these bits, if it reads no sum or its sums meet their bounds anyway; keep it."""
        on, off = self.changes(field)
        share_on, share_off = shares(len(on), len(off), 0, 1)
        parts = (*((at, self.weight * share_on) for at in on), *((at, self.weight * share_off) for at in off))
        found = self.outcomes[field] = Outcome(parts, 0.0 if on and off else self.weight if on else -self.weight)
        return found

    def changes(self, field: int) -> tuple[list[int], list[int]]:
        """Return the columns that meet conditions which the typical customer's do not; and the other way round."""
        on: list[int] = []
        off: list[int] = []
        for place, (at, held) in enumerate(zip(self.columns, self.usual, strict=True)):
            if (field >> place & 1) != held:
                (off if held else on).append(at)
        return on, off

    def keep(self, key: tuple[int, int, tuple[int, ...]], outcome: Outcome) -> Outcome:
        """Keep what became of the rule.

        Parameters
        ----------
        key : (int, int, tuple of int)
            Its bits, the set of interpolated customers for whom its sums meet their bounds, and the columns that vary in them.
        outcome : Outcome

        Returns
        -------
        Outcome
        """
        if len(self.mixed_outcomes) >= MAX_OUTCOMES:
            self.mixed_outcomes.clear()
        self.mixed_outcomes[key] = outcome
        return outcome


class RuleBits:
    """The fields of rules, one above the other, each below its guard; and what is added to find things out of all of them.

    Parameters
    ----------
    rules : sequence of PlannedRule
        Each is told where its field is.

    Attributes
    ----------
    usual : int
        The typical customer's bits.
    ones, fields, guards : int
        The lowest bit, all bits, and the guard of each field. (If a rule has no columns, its field has no bits: then its lowest
        bit is the guard, so that it counts as met, and as unchanged.)
    by_guard : dict
        Guard to rule.
    """

    def __init__(self, rules: Sequence[PlannedRule]) -> None:
        self.usual = self.ones = self.fields = self.guards = 0
        shift = 0
        for rule in rules:
            rule.shift, rule.guard = shift, 1 << shift + len(rule.columns)
            self.ones |= 1 << shift
            self.fields |= rule.mask << shift
            self.guards |= rule.guard
            for place, holds in enumerate(rule.usual):
                self.usual |= holds << shift + place
            shift += len(rule.columns) + 1
        self.by_guard = {rule.guard: rule for rule in rules}
