"""The comparisons of one window with one profile, family by family."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from churn.contract import Column
from monitoring.drift.level_tests import compare_levels
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.profile import PROBABILITY, ReferenceProfile, Sums
from monitoring.drift.results import Aspect, DriftReport, DriftResult

# How alpha is shared. Families without a test leave theirs to the others. A fifth is kept back: calibration takes the reference
# for the population, and what is drawn is finite.
KEPT_BACK = 0.2
# Flags and categories are few; values that are missing, out of range or at odds are many counts, but mostly of nothing, so that
# a handful of rows is far beyond chance.
SHARES = {"location": 0.36, "shape": 0.12, "levels": 0.25, "faults": 0.1, "dependence": 0.17}
# Broken pairs that are listed: the most surprising ones, one for two columns.
MAX_PAIRS_LISTED = 5
# A shift that moves the mean log-odds by so much matters, however little the model makes of the column elsewhere.
MATTERS = 0.05
SMALLEST_VARIANCE = 0.1
# Fewer rows in the reference don't tell what hangs together; from more its own spread is known well enough.
FEWEST_FOR_PAIRS, MANY_ROWS = 200, 10_000
NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True)
class _Count:
    """A comparison of shares: rows by level on both sides."""

    column: str
    aspect: Aspect
    measure: str
    reference: Mapping[str, int]
    current: Mapping[str, int]
    shown: str | None = None

    @property
    def family(self) -> str:
        return "levels" if self.aspect == "values" else "faults"

    @property
    def sides(self) -> bool:
        return sum(self.reference.values()) > 0 and sum(self.current.values()) > 0

    @property
    def can_differ(self) -> bool:
        seen = {level for side in (self.reference, self.current) for level, rows in side.items() if rows}
        return self.sides and len(seen) > 1


class Comparisons:
    """One window held against one profile."""

    def __init__(self, profile: ReferenceProfile, sums: Sums, alpha: float) -> None:
        self.profile, self.sums, self.alpha = profile, sums, alpha
        self.before, self.now = profile.sums, sums
        self.columns = {c.name: c for c in profile.contract.features}
        self.known = (self.before.columns & self.now.columns) & (set(self.columns) | {PROBABILITY})

    def report(self) -> DriftReport:
        """Make all comparisons."""
        counts = list(self._counts()) if self.now.rows and self.before.rows else []
        tests = Counter(count.family for count in counts if count.can_differ)
        nulls = self._calibrated()
        total = sum(share for name, share in SHARES.items() if name in nulls or tests[name]) or 1.0
        shares = {name: share * (1 - KEPT_BACK) / total for name, share in SHARES.items()}

        results = [self._count(count, tests[count.family], shares[count.family]) for count in counts]
        numbers = list(self._numbers(nulls, shares))
        results += numbers
        moved = {result.feature for result in results if result.drifted and result.aspect == "values"}
        # Where both columns moved by themselves, what hangs together among their ranks moved with them, and is no news.
        found = self._pairs(nulls.get("dependence"), shares["dependence"])
        results += [pair for pair in found if not {pair.feature, pair.other} <= moved]
        pairs = int(self.profile.usable_pairs(self._absent()).sum()) if "dependence" in nulls else 0
        return DriftReport(
            alpha=self.alpha,
            p_value=min((result.p_value for result in results), default=1.0),
            tests=tests.total() + sum(result.method != "none" for result in numbers) + pairs,
            rows=self.now.rows,
            reference_rows=self.before.rows,
            results=tuple(sorted((self._weighed(r) for r in results), key=self._order)),
        )

    def _order(self, result: DriftResult) -> tuple[int, str]:
        names = [*self.columns, PROBABILITY]
        return names.index(result.feature), result.aspect

    def _absent(self) -> set[str]:
        """Columns whose scores say nothing here: not in the window, or without a value in it."""
        return {n for n in self.profile.numbers | self.profile.flags if n not in self.known or not self.now.present[n]}

    def _calibrated(self) -> dict[str, MaxDistribution]:
        if not (self.now.rows and self.before.rows):
            return {}
        found = self.profile.calibrated(self.now.rows, self.known - self._absent())
        return {name: null for name, null in found.items() if name != "dependence" or self.before.rows >= FEWEST_FOR_PAIRS}

    def _sure(self, z: np.ndarray) -> np.ndarray:
        """Take z for what it is worth where the spread it was divided by comes from few rows: for Student's t, as normal z."""
        return np.asarray(stats.norm.isf(stats.t.sf(z, max(self.before.rows / 2, 1)))) if self.before.rows < MANY_ROWS else z

    # --- counts ---------------------------------------------------------------------------------------------------------------

    def _counts(self) -> Iterator[_Count]:
        for name, column in self.columns.items():
            if name not in self.known:
                continue
            if column.kind in ("category", "flag"):
                before, now = self.before.levels.get(name, NOTHING), self.now.levels.get(name, NOTHING)
                yield _Count(name, "values", "share of", before, now, None if column.kind == "category" else "1.0")
            else:
                yield from self._outside(name, column)
            yield _Count(name, "missing", "share missing", self._missing(name, self.before), self._missing(name, self.now), "yes")
        for check in self.profile.contract.checks:
            if {check.column, check.equals} <= self.known:
                measure = f"share not {check.times:g} times {check.equals}"
                before, now = self._broken(check.column, self.before), self._broken(check.column, self.now)
                yield _Count(check.column, "relation", measure, before, now, "yes")

    def _outside(self, name: str, column: Column) -> Iterator[_Count]:
        if name not in self.profile.ranges:
            return
        low, high = self.profile.ranges[name]
        unit = f" {column.unit}" if column.unit else ""
        for side, edge in (("below", low), ("above", high)):
            counted = self.now.below[name] if side == "below" else self.now.above[name]
            measure = f"share {side} {edge:g}{unit}"
            yield _Count(
                name, "range", measure, _split(0, self.before.present[name]), _split(counted, self.now.present[name]), "yes"
            )

    @staticmethod
    def _missing(name: str, side: Sums) -> dict[str, int]:
        return _split(side.rows - side.present[name], side.rows)

    @staticmethod
    def _broken(name: str, side: Sums) -> dict[str, int]:
        return _split(side.broken[name], side.related[name])

    def _count(self, count: _Count, tests: int, share: float) -> DriftResult:
        measure, before, now, shown = count.measure, None, None, count.shown
        method, statistic, p_value = "none", 0.0, 1.0
        if count.sides:
            rows, current_rows = sum(count.reference.values()), sum(count.current.values())
            if shown is None:
                levels = sorted({*count.reference, *count.current})
                moved = [abs(count.current.get(x, 0) / current_rows - count.reference.get(x, 0) / rows) for x in levels]
                shown = levels[int(np.argmax(moved))]
                measure = f"share of {shown}"
            elif count.measure == "share of":
                measure = f"share of {self.columns[count.column].true_level}"
            before, now = count.reference.get(shown, 0) / rows, count.current.get(shown, 0) / current_rows
        if count.can_differ:
            method, statistic, raw = compare_levels(count.reference, count.current, self.alpha * share / tests)
            p_value = min(1.0, raw * tests / share)
        return self._result(count.column, count.aspect, method, statistic, p_value, measure, before, now)

    # --- numbers --------------------------------------------------------------------------------------------------------------

    def _numbers(self, nulls: Mapping[str, MaxDistribution], shares: Mapping[str, float]) -> Iterator[DriftResult]:
        owners = np.array(self.profile.score_columns)
        for name in [*self.columns, PROBABILITY]:
            numeric = name == PROBABILITY or self.columns[name].kind in ("number", "integer")
            if name not in self.known or not numeric:
                continue
            aspect: Aspect = "prediction" if name == PROBABILITY else "values"
            unit = None if name == PROBABILITY else self.columns[name].unit
            sides = [
                side.value_sums[name] / side.present[name] if side.present[name] else None for side in (self.before, self.now)
            ]
            method, statistic, p_value = "none", 0.0, 1.0
            if name in self.profile.numbers and "location" in nulls and self.now.present[name]:
                means = self.now.scores[owners == name] / self.now.present[name]
                z = self._sure(np.abs(means) / math.sqrt(1 / self.now.present[name] + 1 / self.before.present[name]))
                kinds = self.profile.numbers[name].kinds
                asked = [kind for kind in ("location", "shape") if kind in kinds]
                strongest = {kind: max(np.flatnonzero(np.array(kinds) == kind), key=z.__getitem__) for kind in asked}
                adjusted = {kind: nulls[kind].p_value(float(z[strongest[kind]])) / shares[kind] for kind in asked}
                kind = min(adjusted, key=adjusted.__getitem__)
                method, statistic = f"rank scores ({kind})", float(abs(means[strongest[kind]]))
                p_value = min(1.0, adjusted[kind])
            measure = f"mean, {unit}" if unit else "mean"
            yield self._result(name, aspect, method, statistic, p_value, measure, *sides)

    # --- dependence -----------------------------------------------------------------------------------------------------------

    def _pairs(self, null: MaxDistribution | None, share: float) -> list[DriftResult]:
        if null is None:
            return []
        usable = self.profile.usable_pairs(self._absent())
        first, second = np.array(self.profile.pairs)[usable].T
        spreads, owners = self.profile.pair_spreads[usable], self.profile.pair_columns
        rows = np.maximum(self.now.together[first, second], 1)
        # Correlations, not products: what only moved, or spread, as a whole hangs together as before.
        before, now = self._correlations(self.before)[first, second], self._correlations(self.now)[first, second]
        known_rows = np.maximum(self.before.together[first, second], 1)
        z = self._sure(np.abs(now - before) / spreads / np.sqrt(1 / rows + 1 / known_rows))
        found: dict[tuple[str, str], DriftResult] = {}
        for place in np.argsort(-z):
            pair = (owners[first[place]], owners[second[place]])
            if pair in found:
                continue
            p_value = min(1.0, null.p_value(float(z[place])) / share)
            if len(found) >= MAX_PAIRS_LISTED or (found and p_value > self.alpha):
                break
            then, after = float(before[place]), float(now[place])
            result = self._result(
                pair[0],
                "dependence",
                "rank products",
                abs(after - then),
                p_value,
                f"rank correlation with {pair[1]}",
                then,
                after,
            )
            found[pair] = replace(result, other=pair[1])
        return list(found.values())

    def _correlations(self, side: Sums) -> np.ndarray:
        """Correlate the scores that take part in pairs with each other, over the rows where both are there."""
        means = self._pair_means(side)
        variances = np.diag(side.products) / np.maximum(np.diag(side.together), 1) - means**2
        covariances = side.products / np.maximum(side.together, 1) - np.outer(means, means)
        # A score that hardly varies here has no correlation: dividing by next to nothing would blow chance up.
        scales = np.sqrt(np.maximum(variances, SMALLEST_VARIANCE))
        return np.asarray(covariances / np.outer(scales, scales))

    def _pair_means(self, side: Sums) -> np.ndarray:
        """Means of the scores that take part in pairs. Flags' follow from their levels, numbers' stand in the sums."""
        members = {n: s for n, s in (self.profile.numbers | self.profile.flags).items() if n != PROBABILITY}
        owners = np.array(self.profile.score_columns)
        means: list[float] = []
        for name, scores in members.items():
            width = scores.pair_orders
            present = max(side.present[name], 1)
            if name in self.profile.flags:
                levels = side.levels.get(name, NOTHING)
                placed: np.ndarray = (
                    scores.of_column(np.array([float(level) for level in levels], dtype=np.float64))[:, 0]
                    if levels
                    else np.zeros(0)
                )
                means.append(sum(float(s) * n for s, n in zip(placed, levels.values(), strict=True)) / present if levels else 0.0)
            else:
                means.extend((side.scores[owners == name][:width] / present).tolist())
        return np.array(means)

    # --- all ------------------------------------------------------------------------------------------------------------------

    def _result(
        self,
        name: str,
        aspect: Aspect,
        method: str,
        statistic: float,
        p_value: float,
        measure: str,
        before: float | None,
        now: float | None,
    ) -> DriftResult:
        return DriftResult(
            feature=name,
            aspect=aspect,
            method=method,
            statistic=float(statistic),
            p_value=float(p_value),
            threshold=self.alpha,
            drifted=p_value <= self.alpha,
            measure=measure,
            reference=before,
            current=now,
            shift=None if before is None or now is None else now - before,
        )

    def _weighed(self, result: DriftResult) -> DriftResult:
        weights = self.profile.weights
        if weights is None or result.aspect == "prediction":
            return result
        impact = self._impact(result.feature) if result.aspect in ("values", "range") else None
        ignored = weights.ignores(result.feature) and (result.other is None or weights.ignores(result.other))
        return replace(result, impact=impact, note=result.drifted and ignored and abs(impact or 0.0) < MATTERS)

    def _impact(self, name: str) -> float | None:
        weights, present = self.profile.weights, self.now.present[name]
        if weights is None or not present:
            return None
        if name in self.profile.numbers and name in weights.scores:
            owners = np.array(self.profile.score_columns)
            return float(self.now.scores[owners == name] @ weights.scores[name] / present)
        if name in weights.scores:
            levels = self.now.levels.get(name, NOTHING)
            scores = self.profile.flags[name].of_column(np.array([float(level) for level in levels]))[:, 0]
            return float(sum(s * n for s, n in zip(scores, levels.values(), strict=True)) / present * weights.scores[name][0])
        if name in weights.levels:
            now, before = self.now.levels.get(name, NOTHING), self.before.levels.get(name, NOTHING)
            known = max(self.before.present[name], 1)
            return float(sum(w * (now.get(x, 0) / present - before.get(x, 0) / known) for x, w in weights.levels[name].items()))
        return None


def _split(counted: int, rows: int) -> dict[str, int]:
    return {"yes": counted, "no": rows - counted}
