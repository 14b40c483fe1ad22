"""Comparisons of counts: levels of flags and categories, missing values, values out of range, broken relations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from churn.contract import Column
from monitoring.drift.families.level_tests import compare_levels
from monitoring.drift.families.sides import Sides
from monitoring.drift.months import Figures
from monitoring.drift.results import Aspect, DriftResult
from monitoring.drift.sums import Sums

NONE_COUNTED: Mapping[str, int] = {}


@dataclass(frozen=True)
class Count:
    """A comparison of shares: rows by level on both sides.

    Attributes
    ----------
    measure : str
        What the shares are.
    reference, window : mapping of str to int
        Rows by level.
    level : str or None
        The level whose share is shown; None: the one that moved most.
    read : callable or None
        Reads rows by level from sums; None where a reference's own months have nothing to say.
    """

    column: str
    aspect: Aspect
    measure: str
    reference: Mapping[str, int]
    window: Mapping[str, int]
    level: str | None = None
    read: Callable[[Sums], Mapping[str, int]] | None = None

    @classmethod
    def of(
        cls,
        sides: Sides,
        column: str,
        aspect: Aspect,
        measure: str,
        read: Callable[[Sums], Mapping[str, int]],
        level: str | None = None,
    ) -> Count:
        """Read both sides.

        Parameters
        ----------
        sides : Sides
            The window and its reference.
        column, aspect, measure
            As in `Count`.
        read : callable
            Gives rows by level of either side, and of a month.
        level : str, optional
            As in `Count`.

        Returns
        -------
        Count
        """
        return cls(column, aspect, measure, read(sides.reference), read(sides.window), level, read)

    @property
    def family(self) -> str:
        """The family of tests that it belongs to."""
        return "levels" if self.aspect == "values" else "faults"

    @property
    def has_rows(self) -> bool:
        """Whether both sides have any."""
        return sum(self.reference.values()) > 0 and sum(self.window.values()) > 0

    @property
    def can_differ(self) -> bool:
        """Whether the test can come out either way."""
        seen = {level for side in (self.reference, self.window) for level, rows in side.items() if rows}
        return self.has_rows and len(seen) > 1


def list_counts(sides: Sides) -> list[Count]:
    """Return every comparison of counts, in the order of the contract; none where a side has no rows."""
    return list(_counts(sides)) if sides.has_rows else []


def judge_count(count: Count, sides: Sides, *, tests: int, share: float) -> DriftResult:
    """Test one comparison of counts.

    Parameters
    ----------
    count : Count
        One of `list_counts`.
    sides : Sides
        The window and its reference.
    tests : int
        How many tests of its family can come out either way: they share alpha evenly (Bonferroni).
    share : float
        Of alpha, in (0, 1): what the family has.

    Returns
    -------
    DriftResult
        With method "none" where there is nothing to compare.
    """
    measure, level, before, now = count.measure, count.level, None, None
    method, statistic, p_value = "none", 0.0, 1.0
    if count.has_rows:
        rows, window_rows = sum(count.reference.values()), sum(count.window.values())
        if level is None:
            levels = sorted({*count.reference, *count.window})
            moved = [abs(count.window.get(x, 0) / window_rows - count.reference.get(x, 0) / rows) for x in levels]
            level = levels[int(np.argmax(moved))]
            measure = f"share of {level}"
        elif count.measure == "share of":
            measure = f"share of {sides.columns[count.column].true_level}"
        before, now = count.reference.get(level, 0) / rows, count.window.get(level, 0) / window_rows
    if count.can_differ:
        method, statistic, raw = compare_levels(count.reference, count.window, sides.alpha * share / tests)
        raw = max(raw, _beyond_months(count, sides))
        p_value = min(1.0, raw * tests / share)
    return sides.result(
        count.column, count.aspect, method, statistic=statistic, p_value=p_value, measure=measure, values=(before, now)
    )


def _beyond_months(count: Count, sides: Sides) -> float:
    """Return how probable the shares are as those of one more month; 0 where months have nothing to say."""
    read = count.read
    if read is None or not sides.profile.months.sums:
        return 0.0
    levels = sorted({*count.reference, *count.window})
    if len(levels) == 2:
        # What one has, the other has not.
        levels = levels[:1]

    def figures(side: Mapping[str, int]) -> Figures:
        rows = sum(side.values())
        return np.array([side.get(level, 0) for level in levels]) / max(rows, 1), np.full(len(levels), float(rows))

    (before, _), (now, rows) = figures(count.reference), figures(count.window)
    z = sides.profile.months.beyond_usual(now, rows, lambda month: figures(read(month)), before * (1 - before))
    return min(1.0, float(2 * stats.norm.sf(z.max()) * len(levels)))


def _counts(sides: Sides) -> Iterator[Count]:
    for name, column in sides.columns.items():
        if name not in sides.known:
            continue
        if column.kind in ("category", "flag"):
            level = None if column.kind == "category" else "1.0"
            yield Count.of(sides, name, "values", "share of", partial(_levels, name), level)
        else:
            yield from _out_of_range(sides, name, column)
        yield Count.of(sides, name, "missing", "share missing", partial(_missing, name), "yes")
    for check in sides.profile.contract.checks:
        if {check.column, check.equals} <= sides.known:
            measure = f"share not {check.times:g} times {check.equals}"
            yield Count.of(sides, check.column, "relation", measure, partial(_broken, check.column), "yes")


def _out_of_range(sides: Sides, name: str, column: Column) -> Iterator[Count]:
    if name not in sides.profile.ranges:
        return
    low, high = sides.profile.ranges[name]
    unit = f" {column.unit}" if column.unit else ""
    present = sides.window.present[name]
    for side, edge, counted in (("below", low, sides.window.below[name]), ("above", high, sides.window.above[name])):
        # Nothing of the reference is out of its own range.
        before, now = _yes_no(0, sides.reference.present[name]), _yes_no(counted, present)
        yield Count(name, "range", f"share {side} {edge:g}{unit}", before, now, "yes")


def _levels(name: str, side: Sums) -> Mapping[str, int]:
    return side.levels.get(name, NONE_COUNTED)


def _missing(name: str, side: Sums) -> dict[str, int]:
    return _yes_no(side.rows - side.present[name], side.rows)


def _broken(name: str, side: Sums) -> dict[str, int]:
    return _yes_no(side.broken[name], side.related[name])


def _yes_no(counted: int, rows: int) -> dict[str, int]:
    return {"yes": counted, "no": rows - counted}
