"""Newcomers: do the customers who came for the first time look like those who came for the first time before them?

In a base that is scored again and again they are few, so that a change of only their kind hardly moves the whole. They differ
from the reference by nature (nobody new has been a customer for years), so it is no measure for them: earlier newcomers are. Of
these only sums are kept, from run to run (`monitoring.drift.cohorts`).

A move of the whole base, as in a season, is none of newcomers: what is told of numbers is what goes beyond it.

Each number is compared by the means of its rank scores, under a random division of both groups' customers: its variance and
skewness follow from the sums of powers (Cochran 1977, Sampling Techniques, ch. 2; a Pearson III distribution has them, so that
numbers which are mostly zero do no harm). Levels and missing values are compared by exact tests on counts.
All share alpha evenly (Bonferroni), without those that cannot come out either way. Where the reference knows its months, a
difference must also be larger than two months usually differ by (`monitoring.drift.months`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from churn.contract import Column
from monitoring.drift.cohorts import CohortSums, NumberSums
from monitoring.drift.columns import PROBABILITY, numbers_of
from monitoring.drift.families.impact import MIN_IMPACT
from monitoring.drift.families.level_tests import compare_levels
from monitoring.drift.families.month_figures import level_share, mean_scores, missing_share
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.rank_scores import Floats
from monitoring.drift.results import Aspect, DriftReport, DriftResult

POWERS = 3
# Of fewer values on a side nothing is said but that the others are missing.
MIN_VALUES = 10
# A score whose variance is below it is the same everywhere, but for rounding.
NO_SPREAD = 1e-9


def sum_up(customers: pd.DataFrame, base: pd.DataFrame, profile: ReferenceProfile) -> CohortSums:
    """Sum up newcomers.

    Parameters
    ----------
    customers : pandas.DataFrame, shape (n, m)
        The contract's features, and churn_probability; columns may be absent.
    base : pandas.DataFrame, shape (n_base, m)
        The same of those who were seen again at the same time.
    profile : ReferenceProfile
        Gives the rank scores.

    Returns
    -------
    CohortSums
    """
    numbers, levels, missing = {}, {}, {}
    for name, scores in profile.numbers.items():
        if name not in customers:
            continue
        there, usual = (values[~np.isnan(values)] for values in (numbers_of(customers, name), numbers_of(base, name)))
        scored = scores.of_column(there).astype(np.float64)
        powers = tuple(tuple((scored**power).sum(axis=0).tolist()) for power in range(1, POWERS + 1))
        mean = scores.of_column(usual).astype(np.float64).sum(axis=0) / max(usual.size, 1)
        total = float(there[np.isfinite(there)].sum())
        beside = tuple((there.size * mean).tolist()), there.size / max(usual.size, 1)
        numbers[name] = NumberSums(there.size, total, powers, *beside)
    for column in profile.contract.features:
        if column.name not in customers:
            continue
        held = customers[column.name]
        missing[column.name] = int(held.isna().sum())
        if column.kind in ("category", "flag"):
            levels[column.name] = {str(level): int(rows) for level, rows in held.value_counts().items()}
    return CohortSums(len(customers), numbers, levels, missing)


class _Test(NamedTuple):
    """One comparison before it is adjusted; the counts of a table that is still to be tested."""

    result: DriftResult
    p_value: float
    counts: tuple[Mapping[str, int], Mapping[str, int]] | None = None


def compare_cohorts(profile: ReferenceProfile, earlier: CohortSums, now: CohortSums, alpha: float) -> DriftReport:
    """Compare two groups of different customers by their sums.

    Parameters
    ----------
    profile : ReferenceProfile
        That both were summed up with; it also says what the model makes of each column.
    earlier, now : CohortSums
        With rows.
    alpha : float
        In (0, 1): the chance of any drifted result if both are of one kind.

    Returns
    -------
    DriftReport
        The same for the same sums.
    """
    tests = [*_numbers(profile, earlier, now, alpha), *_counts(profile, earlier, now, alpha)]
    results: dict[tuple[str, str, str | None], DriftResult] = {}
    for test in tests:
        method, statistic, p_value = test.result.method, test.result.statistic, test.p_value
        if test.counts is not None:
            method, statistic, p_value = compare_levels(*test.counts, alpha / len(tests))
            p_value = max(p_value, _as_months(profile, test.result, *test.counts))
        p_value, key = min(1.0, p_value * len(tests)), test.result.key
        # Where one column has several tests, the most surprising stands for it.
        if key not in results or p_value < results[key].p_value:
            results[key] = _judged(test, method, statistic, p_value, profile)
    return DriftReport(
        alpha=alpha,
        p_value=min((result.p_value for result in results.values()), default=1.0),
        tests=len(tests),
        rows=now.rows,
        reference_rows=earlier.rows,
        results=tuple(results.values()),
    )


def _numbers(profile: ReferenceProfile, earlier: CohortSums, now: CohortSums, alpha: float) -> list[_Test]:
    results, differences = [], []
    for name, scores in profile.numbers.items():
        before, after = earlier.numbers.get(name), now.numbers.get(name)
        if before is None or after is None or min(before.present, after.present) < MIN_VALUES:
            continue
        kinds = np.array(scores.kinds)
        if kinds.shape != np.shape(before.powers)[1:] or kinds.shape != np.shape(after.powers)[1:]:
            continue
        shifts, z, skew = _means(before, after)
        z = _beyond_base(z, shifts, before, after)
        impact = None
        if profile.weights is not None and name in profile.weights.scores:
            impact = float(shifts @ profile.weights.scores[name])
        unit = None if name == PROBABILITY else profile.contract[name].unit
        sides = before.total / before.present, after.total / after.present
        aspect: Aspect = "prediction" if name == PROBABILITY else "values"
        result = _result(name, aspect, f"mean, {unit}" if unit else "mean", sides, alpha, impact)
        chance = np.full(shifts.shape, 1 / before.present + 1 / after.present)
        usual = profile.months.beyond_moves(shifts, partial(mean_scores, profile, name), chance)
        for place in np.flatnonzero((kinds == "location") & ~np.isnan(z)):
            results.append(replace(result, statistic=float(abs(shifts[place]))))
            differences.append((z[place], skew[place], usual[place]))
    if not results:
        return []
    z, skew, usual = np.array(differences).T
    by_chance = 2 * np.minimum(stats.pearson3.sf(z, skew), stats.pearson3.cdf(z, skew))
    p_values = np.minimum(1.0, np.maximum(by_chance, 2 * stats.norm.sf(usual)))
    return [_Test(result, float(p_value)) for result, p_value in zip(results, p_values, strict=True)]


def _means(before: NumberSums, after: NumberSums) -> tuple[Floats, Floats, Floats]:
    """Return by how much the mean of each score moved; and that in standard deviations, and its skewness, by random division.

    NaN where a score is the same everywhere.
    """
    rows, new = before.present + after.present, after.present
    first, second, third = (np.array(before.powers) + np.array(after.powers)) / rows
    spread = second - first**2
    variance = np.where(spread > NO_SPREAD, spread, np.nan) / new * (rows - new) / (rows - 1)
    cubes = (third - 3 * first * second + 2 * first**3) * (rows - new) * (rows - 2 * new) / (new**2 * (rows - 1) * (rows - 2))
    mean = np.array(after.powers)[0] / new
    return mean - np.array(before.powers)[0] / before.present, (mean - first) / np.sqrt(variance), cubes / variance**1.5


def _beyond_base(z: Floats, shifts: Floats, before: NumberSums, after: NumberSums) -> Floats:
    """Return z values as far as newcomers moved by themselves: what the whole base did meanwhile, as in a season, does not count.

    A base also grows older, and newcomers do not: they must differ from those before them, and from how the base moved.
    """
    moved = np.array(after.base) / after.present - np.array(before.base) / before.present
    noise = 1 / before.present + 1 / after.present
    alone = z * (shifts - moved) / np.where(shifts == 0, np.inf, shifts)
    alone /= np.sqrt(1 + (before.per_base / before.present + after.per_base / after.present) / noise)
    return np.asarray(np.sign(z) * np.clip(np.minimum(np.abs(z), np.sign(z) * alone), 0.0, None))


def _counts(profile: ReferenceProfile, earlier: CohortSums, now: CohortSums, alpha: float) -> Iterator[_Test]:
    for column in profile.contract.features:
        name = column.name
        if name not in earlier.missing or name not in now.missing:
            continue
        before, after = ({"yes": side.missing[name], "no": side.rows - side.missing[name]} for side in (earlier, now))
        if (before["yes"] or after["yes"]) and (before["no"] or after["no"]):
            sides = before["yes"] / earlier.rows, after["yes"] / now.rows
            yield _Test(_result(name, "missing", "share missing", sides, alpha, None), 1.0, (before, after))
        if name in earlier.levels and name in now.levels:
            test = _levels(profile, column, earlier.levels[name], now.levels[name], alpha)
            if test is not None:
                yield test


def _levels(
    profile: ReferenceProfile, column: Column, before: Mapping[str, int], after: Mapping[str, int], alpha: float
) -> _Test | None:
    """Return the comparison of levels; None where a side has no value, or both only one and the same."""
    rows, new = sum(before.values()), sum(after.values())
    shifts = {level: after.get(level, 0) / max(new, 1) - before.get(level, 0) / max(rows, 1) for level in {**before, **after}}
    if not rows or not new or len(shifts) < 2:
        return None
    # Of a flag's two levels one says it all.
    shown = "1.0" if column.kind == "flag" else max(sorted(shifts), key=lambda level: abs(shifts[level]))
    spelled = column.true_level if column.kind == "flag" else shown
    impact = sum(_weight(profile, column, level) * shift for level, shift in shifts.items()) if profile.weights else None
    sides = before.get(shown, 0) / rows, after.get(shown, 0) / new
    return _Test(_result(column.name, "values", f"share of {spelled}", sides, alpha, impact), 1.0, (before, after))


def _as_months(profile: ReferenceProfile, result: DriftResult, before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Return how probable a difference of counts is as that of two months; 0 where months have nothing to say."""
    sizes = sum(before.values()), sum(after.values())
    levels = sorted({**before, **after})
    if len(levels) == 2:
        # What one has, the other has not.
        levels = levels[1:]
    z = []
    for level in levels:
        earlier, now = before.get(level, 0) / sizes[0], after.get(level, 0) / sizes[1]
        share = (before.get(level, 0) + after.get(level, 0)) / sum(sizes)
        chance = np.array([share * (1 - share) * (1 / sizes[0] + 1 / sizes[1])])
        of_month = missing_share if result.aspect == "missing" else partial(level_share, level=level)
        z.append(profile.months.beyond_moves(np.array([now - earlier]), partial(of_month, result.feature), chance)[0])
    return min(1.0, float(2 * stats.norm.sf(max(z))) * len(levels))


def _weight(profile: ReferenceProfile, column: Column, level: str) -> float:
    """Return what the model makes of a level, in log-odds."""
    weights, name = profile.weights, column.name
    if weights is None:
        return 0.0
    if name in weights.levels:
        return weights.levels[name].get(level, 0.0)
    if name in weights.scores and name in profile.flags:
        return float(profile.flags[name].of_column(np.array([float(level)]))[0, 0] * weights.scores[name][0])
    return 0.0


def _result(
    name: str, aspect: Aspect, measure: str, sides: tuple[float, float], alpha: float, impact: float | None
) -> DriftResult:
    before, now = sides
    return DriftResult(
        feature=name,
        aspect=aspect,
        method="random division, rank scores",
        statistic=abs(now - before),
        p_value=1.0,
        threshold=alpha,
        drifted=False,
        measure=measure,
        reference=before,
        current=now,
        shift=now - before,
        impact=impact,
    )


def _judged(test: _Test, method: str, statistic: float, p_value: float, profile: ReferenceProfile) -> DriftResult:
    """Return a comparison with its adjusted p-value; one of a column that the model ignores is a note."""
    drifted, weights = p_value <= test.result.threshold, profile.weights
    ignored = (
        weights is not None
        and test.result.aspect != "prediction"
        and weights.ignores(test.result.feature)
        and abs(test.result.impact or 0.0) < MIN_IMPACT
    )
    return replace(test.result, method=method, statistic=statistic, p_value=p_value, drifted=drifted, note=drifted and ignored)
