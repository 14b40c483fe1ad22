"""Newcomers in sums: what one monitoring run hands to the next of the customers who came for the first time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Fewer newcomers wait for those of the next runs; fewer earlier ones are nothing to compare with.
MIN_NEWCOMERS = 50
# Of who came in a longer time more have left unseen: a time that is longer by so many days, and by half of the usual, is another.
OTHER_GAP_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class NumberSums:
    """A number of some customers.

    Attributes
    ----------
    present : int
        How many have a value.
    total : float
        Sum of the finite values.
    powers : tuple of tuple of float, shape (3, n_scores)
        Sums of the rank scores, of their squares and of their cubes.
    base : tuple of float, shape (n_scores,)
        For each of them, the mean rank scores of those who were seen again at the same time, summed up.
    per_base : float
        For each of them, one over the number of these, summed up.
    """

    present: int
    total: float
    powers: tuple[tuple[float, ...], ...]
    base: tuple[float, ...]
    per_base: float

    def plus(self, other: NumberSums) -> NumberSums:
        """Return the sums of both."""
        pairs = zip(self.powers, other.powers, strict=True)
        powers = tuple(tuple(a + b for a, b in zip(mine, theirs, strict=True)) for mine, theirs in pairs)
        base = tuple(a + b for a, b in zip(self.base, other.base, strict=True))
        sums = self.present + other.present, self.total + other.total
        return NumberSums(*sums, powers, base, self.per_base + other.per_base)


@dataclass(frozen=True, slots=True)
class CohortSums:
    """Customers in sums; those of several runs add up.

    Attributes
    ----------
    rows : int
        How many customers.
    numbers : dict of NumberSums
        By numeric column, and of the predicted probability.
    levels : dict of dict of int
        Customers by level, of flags and categories.
    missing : dict of int
        Customers without a value, by column.

    Examples
    --------
    >>> CohortSums(2, missing={"age": 1}).plus(CohortSums(3, missing={"age": 2, "plan": 1}))
    CohortSums(rows=5, numbers={}, levels={}, missing={'age': 3, 'plan': 1})
    """

    rows: int = 0
    numbers: dict[str, NumberSums] = field(default_factory=dict)
    levels: dict[str, dict[str, int]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)

    def plus(self, other: CohortSums) -> CohortSums:
        """Return the sums of both."""
        numbers = {**self.numbers, **other.numbers}
        numbers |= {name: one.plus(other.numbers[name]) for name, one in self.numbers.items() if name in other.numbers}
        names = {**self.levels, **other.levels}
        levels = {name: _added(self.levels.get(name, {}), other.levels.get(name, {})) for name in names}
        return CohortSums(self.rows + other.rows, numbers, levels, _added(self.missing, other.missing))


@dataclass(frozen=True, slots=True)
class Cohorts:
    """What a run must know of the newcomers of those before it, under the same model version.

    Attributes
    ----------
    earlier : CohortSums
        Those judged before: what the next are compared with.
    waiting : CohortSums
        Those too few to be judged so far.
    gap_days : float or None
        How long those who were seen again had not been seen, the last time: newcomers came in that time.
    """

    earlier: CohortSums = field(default_factory=CohortSums)
    waiting: CohortSums = field(default_factory=CohortSums)
    gap_days: float | None = None

    def joined_by(self, customers: CohortSums, gap_days: float) -> Cohorts:
        """Return the same with customers who just came. The first 50 are not judged: the next are, by them.

        If the base was not seen for longer than usual (a month was left out), or is seen more often from now on, they are others
        than those before them: of who came long ago, only who stayed is seen. Then all begins anew after them.

        Parameters
        ----------
        customers : CohortSums
        gap_days : float
            How long those who are seen again with them had not been seen, in the median. (Not how long the run before is ago: a
            base may be scored in one night, and judged in many windows.)

        Returns
        -------
        Cohorts
        """
        if self.gap_days is not None and abs(gap_days - self.gap_days) > max(self.gap_days / 2, OTHER_GAP_DAYS):
            return Cohorts(gap_days=gap_days)
        waiting = self.waiting.plus(customers)
        if self.earlier.rows < MIN_NEWCOMERS <= waiting.rows:
            return Cohorts(waiting, gap_days=gap_days)
        return Cohorts(self.earlier, waiting, gap_days)

    @property
    def can_judge(self) -> bool:
        """Whether enough wait, and enough came before them. How many does not depend on what they are like."""
        return min(self.earlier.rows, self.waiting.rows) >= MIN_NEWCOMERS

    def judged(self, *, drifted: bool) -> Cohorts:
        """Return the same once those who waited are judged. What was said is usual from then on: after drift only they count."""
        earlier = self.waiting if drifted else self.earlier.plus(self.waiting)
        return Cohorts(earlier, gap_days=self.gap_days)


def _added(mine: Mapping[str, int], theirs: Mapping[str, int]) -> dict[str, int]:
    return {name: mine.get(name, 0) + theirs.get(name, 0) for name in {**mine, **theirs}}
