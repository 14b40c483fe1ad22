"""What moved: customers who were seen before are compared with themselves.

Between two sights of the same customers nearly everything stays, so that a change shows which the comparison of two groups of
people would take for chance. Two kinds of tests, each by what is expected of *one* customer who moves: as often and as far up as
down, but for what those who stay come back to the mean (`monitoring.drift.staying`).

- Numbers, and the predicted probability: the sum of the differences of their rank scores over the root of the sum of their
  squares. Self-normalised sums have normal tails for whatever differences (Shao 1997, Annals of Probability 25:285), and few
  movers never reach a high threshold: of m movers the sum is at most the root of m.
- Levels, missing values, values out of range and broken relations: of the customers who changed sides, how many in which
  direction, exactly (the test of McNemar 1947, Psychometrika 12:153; for odds that need not be even).

How far those who stay come back is known from the reference with an error, and from those of one period: a move of numbers
counts only as far as it is a twentieth of a standard deviation beyond it.

Where the reference knows its months, a move must also be larger than two months usually differ by (`monitoring.drift.months`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from churn.contract import Check, Column
from monitoring.drift.columns import PROBABILITY, numbers_of
from monitoring.drift.families.impact import MIN_IMPACT
from monitoring.drift.families.month_figures import broken_share, level_share, mean_scores, missing_share
from monitoring.drift.months import Figures
from monitoring.drift.moves import answers_beyond_chance, beyond_chance
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.rank_scores import Floats
from monitoring.drift.results import Aspect, DriftReport, DriftResult
from monitoring.drift.staying import slopes
from monitoring.drift.sums import Sums

# How alpha is shared. Families without a test leave theirs to the others.
SHARES = {"numbers": 0.5, "levels": 0.25, "faults": 0.25}
Sign = NDArray[np.bool_]


class _Test(NamedTuple):
    """One comparison before it is adjusted: `least` is the smallest p-value that its movers could give."""

    family: str
    result: DriftResult
    p_value: float
    least: float


@dataclass(frozen=True)
class _Pairs:
    """Rows of the same customers, line by line."""

    profile: ReferenceProfile
    before: pd.DataFrame
    after: pd.DataFrame
    alpha: float

    def result(
        self, name: str, aspect: Aspect, measure: str, method: str, sides: tuple[float, float], size: float, error: float
    ) -> DriftResult:
        before, now = sides
        return DriftResult(
            feature=name,
            aspect=aspect,
            method=method,
            statistic=size,
            p_value=1.0,
            threshold=self.alpha,
            drifted=False,
            measure=measure,
            reference=before,
            current=now,
            shift=now - before,
            standard_error=error,
        )


def compare_pairs(profile: ReferenceProfile, before: pd.DataFrame, after: pd.DataFrame, alpha: float) -> DriftReport:
    """Compare customers with themselves.

    Parameters
    ----------
    profile : ReferenceProfile
        Gives the scores of numbers, and what the model makes of each column.
    before, after : pandas.DataFrame, shape (n_customers, m)
        The contract's features, and churn_probability; the same customer in the same place. A value that is missing on either
        side is compared as missing only.
    alpha : float
        In (0, 1): the chance of any drifted result if customers move up as they move down.

    Returns
    -------
    DriftReport
        Of it, `reference` and `current` are before and after, `rows` and `reference_rows` the number of pairs. It does not
        depend on the order of the pairs.
    """
    pairs = _Pairs(profile, before, after, alpha)
    tests = [*_numbers(pairs), *_levels(pairs), *_faults(pairs)] if len(after) else []
    able = {family: _able([t.least for t in tests if t.family == family], SHARES[family] * alpha) for family in SHARES}
    total = sum(SHARES[family] for family, count in able.items() if count) or 1.0
    results: dict[tuple[str, str, str | None], DriftResult] = {}
    for test in tests:
        # Where one column has several tests, the most surprising stands for it.
        p_value = min(1.0, test.p_value * able[test.family] * total / SHARES[test.family]) if able[test.family] else 1.0
        key = test.result.key
        if key not in results or p_value < results[key].p_value:
            results[key] = replace(test.result, p_value=p_value, drifted=p_value <= alpha)
    return DriftReport(
        alpha=alpha,
        p_value=min((result.p_value for result in results.values()), default=1.0),
        tests=sum(able.values()),
        rows=len(after),
        reference_rows=len(before),
        results=tuple(_with_note(result, profile) for result in results.values()),
    )


def _able(least: list[float], level: float) -> int:
    """Return how many tests must share a level: those that can reach their part of it (Tarone 1990, Biometrics 46:515)."""
    ordered = np.sort(np.array(least))
    return next((k for k in range(1, len(least) + 1) if np.searchsorted(ordered, level / k, side="right") <= k), len(least))


def _numbers(pairs: _Pairs) -> Iterator[_Test]:
    weights = pairs.profile.weights
    for name, scores in pairs.profile.numbers.items():
        if name not in pairs.before or name not in pairs.after:
            continue
        values = [numbers_of(side, name) for side in (pairs.before, pairs.after)]
        both = ~(np.isnan(values[0]) | np.isnan(values[1]))
        before, now = values[0][both], values[1][both]
        rows, movers = len(now), int((before != now).sum())
        if not movers:
            continue
        sides = [scores.of_column(side).astype(np.float64) for side in (before, now)]
        moved: Floats = sides[1] - sides[0]
        total, norm = moved.sum(axis=0), np.sqrt((moved**2).sum(axis=0))
        comeback = pairs.profile.staying.comeback.get(name)
        if name == PROBABILITY:
            z = answers_beyond_chance(before, now, moved, comeback)
        else:
            z = beyond_chance(moved, 0.0 if comeback is None else comeback * (1 - slopes(*sides)))
        of_month = partial(mean_scores, pairs.profile, name)
        z = np.minimum(np.abs(z), pairs.profile.months.beyond_moves(total / rows, of_month, (norm / rows) ** 2))
        aspect: Aspect = "prediction" if name == PROBABILITY else "values"
        unit = None if name == PROBABILITY else pairs.profile.contract[name].unit
        impact = float(moved.mean(axis=0) @ weights.scores[name]) if weights is not None and name in weights.scores else None
        means = float(_finite(before).mean()), float(_finite(now).mean())
        for place in np.flatnonzero(norm > 0):
            size, error = float(abs(total[place]) / rows), float(norm[place] / rows)
            measure = f"mean, {unit}" if unit else "mean"
            method = f"same customers, {scores.kinds[place]}"
            result = replace(pairs.result(name, aspect, measure, method, means, size, error), impact=impact)
            least = float(2 * stats.norm.sf(math.sqrt(movers)))
            yield _Test("numbers", result, float(2 * stats.norm.sf(z[place])), least)


def _levels(pairs: _Pairs) -> Iterator[_Test]:
    for column in pairs.profile.contract.features:
        name = column.name
        if column.kind not in ("category", "flag") or name not in pairs.before or name not in pairs.after:
            continue
        both = (pairs.before[name].notna() & pairs.after[name].notna()).to_numpy()
        before, now = (side[name].to_numpy(dtype=object)[both] for side in (pairs.before, pairs.after))
        changed = before != now
        # Of a flag's two levels one says it all.
        levels = [1.0] if column.kind == "flag" else sorted({*before[changed], *now[changed]}, key=str)
        for level in levels:
            odds = pairs.profile.staying.odds_of(name, str(level))
            spelled = str(column.true_level if column.kind == "flag" else level)
            measure = f"share of {spelled}"
            of_month = partial(level_share, name, level=str(level))
            test = _switches(pairs, column, "values", measure, "levels", before == level, now == level, of_month, odds)
            if test is not None:
                impact = _impact_of_level(pairs.profile, column, spelled, test.result.shift or 0.0)
                yield test._replace(result=replace(test.result, impact=impact))


def _faults(pairs: _Pairs) -> Iterator[_Test]:
    for column in pairs.profile.contract.features:
        name = column.name
        if name not in pairs.before or name not in pairs.after:
            continue
        sides = [pairs.before[name].isna().to_numpy(), pairs.after[name].isna().to_numpy()]
        found = [_switches(pairs, column, "missing", "share missing", "faults", sides[0], sides[1], partial(missing_share, name))]
        if name in pairs.profile.ranges:
            values = [numbers_of(side, name) for side in (pairs.before, pairs.after)]
            both = ~(np.isnan(values[0]) | np.isnan(values[1]))
            low, high = pairs.profile.ranges[name]
            unit = f" {column.unit}" if column.unit else ""
            below, above = ([v[both] < low for v in values], [v[both] > high for v in values])
            found.append(_switches(pairs, column, "range", f"share below {low:g}{unit}", "faults", below[0], below[1], None))
            found.append(_switches(pairs, column, "range", f"share above {high:g}{unit}", "faults", above[0], above[1], None))
        yield from (test for test in found if test is not None)
    for check in pairs.profile.contract.checks:
        if not {check.column, check.equals} <= set(pairs.before) & set(pairs.after):
            continue
        gaps = [_gap(side, check) for side in (pairs.before, pairs.after)]
        both = ~(np.isnan(gaps[0]) | np.isnan(gaps[1]))
        broken = [gap[both] > check.tolerance + 1e-9 for gap in gaps]
        measure = f"share not {check.times:g} times {check.equals}"
        column, of_month = pairs.profile.contract[check.column], partial(broken_share, check.column)
        test = _switches(pairs, column, "relation", measure, "faults", broken[0], broken[1], of_month)
        if test is not None:
            yield test


def _switches(
    pairs: _Pairs,
    column: Column,
    aspect: Aspect,
    measure: str,
    family: str,
    before: Sign,
    now: Sign,
    of_month: Callable[[Sums], Figures] | None,
    odds: float = 1.0,
) -> _Test | None:
    """Test whether as many customers came to have a property as lost it, or up to `odds` times; None if nobody did either."""
    gained, lost = int((now & ~before).sum()), int((before & ~now).sum())
    movers, rows = gained + lost, len(now)
    if not movers:
        return None
    sides = float(before.mean()), float(now.mean())
    result = pairs.result(
        column.name, aspect, measure, "same customers, McNemar", sides, abs(gained - lost) / rows, math.sqrt(movers) / rows
    )
    share = odds / (1 + odds)
    low, high = min(0.5, share), max(0.5, share)
    p_value = min(1.0, 2 * min(float(stats.binom.sf(gained - 1, movers, high)), float(stats.binom.cdf(gained, movers, low))))
    if of_month is not None:
        move, chance = np.array([(gained - lost) / rows]), np.array([movers / rows**2])
        p_value = max(p_value, float(2 * stats.norm.sf(pairs.profile.months.beyond_moves(move, of_month, chance)[0])))
    return _Test(family, result, p_value, 2 * min(high**movers, (1 - low) ** movers))


def _impact_of_level(profile: ReferenceProfile, column: Column, level: str, shift: float) -> float | None:
    weights, name = profile.weights, column.name
    if weights is None:
        return None
    if name in weights.levels:
        return weights.levels[name].get(level, 0.0) * shift
    if name in weights.scores:
        no, yes = profile.flags[name].of_column(np.array([0.0, 1.0]))[:, 0]
        return float((yes - no) * shift * weights.scores[name][0])
    return None


def _with_note(result: DriftResult, profile: ReferenceProfile) -> DriftResult:
    weights = profile.weights
    if weights is None or result.aspect == "prediction":
        return result
    ignored = weights.ignores(result.feature) and abs(result.impact or 0.0) < MIN_IMPACT
    return replace(result, note=result.drifted and ignored)


def _gap(side: pd.DataFrame, check: Check) -> Floats:
    return np.abs(numbers_of(side, check.column) - numbers_of(side, check.equals) * check.times)


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]
