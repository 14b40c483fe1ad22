"""Comparisons of slices: numbers and predictions within groups of customers, and the share of each segment."""

from __future__ import annotations

import math

import numpy as np

from churn.segments.segments import SLICE
from monitoring.drift.columns import PROBABILITY
from monitoring.drift.families.sides import Sides
from monitoring.drift.months import Figures
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.rank_scores import Floats
from monitoring.drift.results import DriftResult
from monitoring.drift.slice_scores import SliceScores, SliceSums
from monitoring.drift.sums import Sums
from monitoring.slicing import describe_slice

# Slices that are listed: the most surprising ones.
MAX_LISTED = 5


def compare_slices(sides: Sides, null: MaxDistribution, share: float, moved: set[str]) -> list[DriftResult]:
    """Compare slices, and return the most surprising differences.

    Parameters
    ----------
    sides : Sides
        The window and its reference.
    null : MaxDistribution
        Of the largest |z| of all.
    share : float
        Of alpha, in (0, 1): what slices have.
    moved : set of str
        Columns that drifted as a whole: that they did so in a slice is no news.

    Returns
    -------
    list of DriftResult
        At most 5, the most surprising first; one at least, drifted or not, if anything is left to compare. Segments are left out
        where the window has none.
    """
    slices, window, reference = sides.profile.slices, sides.window, sides.reference
    if slices is None or window.slices is None:
        return []
    effects = slices.differences(window.slices, window.rows, reference.rows)
    z = _surprises(sides, slices, effects)
    names = [*slices.numbers]
    found: list[DriftResult] = []
    for test in np.argsort(-z):
        place, column = slices.tests[test]
        rule = slices.slicing.rules[place]
        name = SLICE if column is None else names[column]
        if name in moved or (rule.column == SLICE and SLICE not in window.columns) or name in sides.absent:
            continue
        p_value = min(1.0, null.p_value(float(z[test])) / share)
        if len(found) >= MAX_LISTED or (found and p_value > sides.alpha):
            break
        what, values = _measure(sides, slices, window.slices, place, column)
        found.append(
            sides.result(
                name,
                "slice",
                "rank scores, by slice",
                statistic=float(abs(effects[test])),
                p_value=p_value,
                measure=f"{what} of {describe_slice(rule.column, rule.level)}",
                values=values,
                other=f"{rule.column}: {rule.level}",
            )
        )
    return found


def _surprises(sides: Sides, slices: SliceScores, effects: Floats) -> Floats:
    """Return |z| of each test, shape (n_tests,): beyond chance, and beyond what the reference's months usually do."""
    window, reference = sides.window, sides.reference
    # A small slice knows its spread from few rows.
    behind = [reference.rows if column is None else slices.sums.present[place, column] for place, column in slices.tests]
    size = math.sqrt(1 / window.rows + 1 / reference.rows)
    z = sides.as_normal(np.abs(effects) / size, np.array(behind, dtype=np.float64))
    every = np.ones(effects.shape)

    def of_month(month: Sums) -> Figures:
        found = every * np.nan if month.slices is None else slices.differences(month.slices, month.rows, reference.rows)
        return found, month.rows * every

    return np.minimum(z, sides.profile.months.beyond_usual(effects, window.rows * every, of_month, every))


def _measure(
    sides: Sides, slices: SliceScores, window: SliceSums, place: int, column: int | None
) -> tuple[str, tuple[float, float]]:
    """Return what is told of one test, and its values in the reference and the window: a slice's share, or a mean within it."""
    if column is None:
        return "share", (slices.sums.rows[place] / sides.reference.rows, window.rows[place] / sides.window.rows)
    name = [*slices.numbers][column]
    before, now = (float(side.values[place, column] / max(side.present[place, column], 1)) for side in (slices.sums, window))
    return "mean probability" if name == PROBABILITY else f"mean {name.replace('_', ' ')}", (before, now)
