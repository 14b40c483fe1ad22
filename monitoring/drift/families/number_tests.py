"""Comparisons of numbers: location and shape, as means of rank scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from monitoring.drift.columns import PROBABILITY
from monitoring.drift.families.month_figures import mean_scores
from monitoring.drift.families.sides import Sides
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.results import DriftResult


def compare_numbers(sides: Sides, nulls: Mapping[str, MaxDistribution], shares: Mapping[str, float]) -> Iterator[DriftResult]:
    """Compare every numeric column, and the predicted probability.

    Parameters
    ----------
    sides : Sides
        The window and its reference.
    nulls : mapping of str to MaxDistribution
        The null distributions of the families "location" and "shape", as far as they have tests.
    shares : mapping of str to float
        Of alpha: what each family has, in (0, 1).

    Yields
    ------
    DriftResult
        One for each column: the more surprising of its two families. Method "none" where there is nothing to compare.
    """
    for name in [*sides.columns, PROBABILITY]:
        numeric = name == PROBABILITY or sides.columns[name].kind in ("number", "integer")
        if name in sides.known and numeric:
            yield _compare(sides, name, nulls, shares)


def _compare(sides: Sides, name: str, nulls: Mapping[str, MaxDistribution], shares: Mapping[str, float]) -> DriftResult:
    reference, window, numbers = sides.reference, sides.window, sides.profile.numbers
    method, statistic, p_value = "none", 0.0, 1.0
    if name in numbers and "location" in nulls and window.present[name]:
        mine = sides.score_owners == name
        means = window.scores[mine] / window.present[name]
        z = sides.as_normal(np.abs(means) / math.sqrt(1 / window.present[name] + 1 / reference.present[name]))
        of_month = partial(mean_scores, sides.profile, name)
        rows = np.full(means.shape, float(window.present[name]))
        z = np.minimum(z, sides.profile.months.beyond_usual(means, rows, of_month, np.ones(means.shape)))
        kinds = numbers[name].kinds
        families = [family for family in ("location", "shape") if family in kinds]
        strongest = {family: max(np.flatnonzero(np.array(kinds) == family), key=z.__getitem__) for family in families}
        adjusted = {family: nulls[family].p_value(float(z[strongest[family]])) / shares[family] for family in families}
        family = min(adjusted, key=adjusted.__getitem__)
        method, statistic = f"rank scores ({family})", float(abs(means[strongest[family]]))
        p_value = min(1.0, adjusted[family])
    unit = None if name == PROBABILITY else sides.columns[name].unit
    before, now = (side.value_sums[name] / side.present[name] if side.present[name] else None for side in (reference, window))
    return sides.result(
        name,
        "prediction" if name == PROBABILITY else "values",
        method,
        statistic=statistic,
        p_value=p_value,
        measure=f"mean, {unit}" if unit else "mean",
        values=(before, now),
    )
