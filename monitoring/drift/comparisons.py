"""All comparisons of one window with one profile: the families share alpha, and what each found becomes one report."""

from __future__ import annotations

from collections import Counter

from churn.segments.segments import SLICE
from monitoring.drift.columns import PROBABILITY
from monitoring.drift.families.counts import judge_count, list_counts
from monitoring.drift.families.dependence import compare_dependence
from monitoring.drift.families.impact import add_impact
from monitoring.drift.families.number_tests import compare_numbers
from monitoring.drift.families.sides import Sides
from monitoring.drift.families.slice_tests import compare_slices
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.results import DriftReport, DriftResult
from monitoring.drift.sums import Sums

# How alpha is shared. Families without a test leave theirs to the others. A fifth is kept back: calibration takes the reference
# for the population, and the draws are finite.
KEPT_BACK = 0.2
# Flags and categories are few; values that are missing, out of range or at odds are many counts, but mostly of nothing, so that
# a handful of rows is far beyond chance.
SHARES = {"location": 0.36, "shape": 0.12, "levels": 0.25, "faults": 0.1, "dependence": 0.17, "slices": 0.1}
# Fewer rows in the reference don't show what hangs together.
MIN_ROWS_FOR_PAIRS = 200


def compare_all(profile: ReferenceProfile, window: Sums, alpha: float) -> DriftReport:
    """Make all comparisons.

    Parameters
    ----------
    profile : ReferenceProfile
        Of the reference.
    window : Sums
        Of the window, by this profile.
    alpha : float
        In (0, 1): the chance of any alarm on a window without drift.

    Returns
    -------
    DriftReport
        Its results in the order of the contract.
    """
    sides = Sides(profile, window, alpha)
    counts = list_counts(sides)
    tests = Counter(count.family for count in counts if count.can_differ)
    nulls = _null_distributions(sides)
    shares = _shares({*nulls, *(family for family in tests if tests[family])})

    results = [judge_count(count, sides, tests=tests[count.family], share=shares[count.family]) for count in counts]
    numbers = list(compare_numbers(sides, nulls, shares))
    results += numbers
    others = 0
    if (null := nulls.get("dependence")) is not None:
        # Where both columns moved by themselves, what hangs together among their ranks moved with them, and is no news.
        moved = {result.feature for result in results if result.drifted and result.aspect == "values"}
        found = compare_dependence(sides, null, shares["dependence"])
        results += [pair for pair in found if not {pair.feature, pair.other} <= moved]
        others = int(profile.usable_pairs(sides.absent).sum())
    if (null := nulls.get("slices")) is not None and sides.profile.slices is not None:
        # Where a column moved as a whole, it moved in each group as well.
        moved = {result.feature for result in results if result.drifted and result.aspect in ("values", "prediction")}
        results += compare_slices(sides, null, shares["slices"], moved)
        others += len(sides.profile.slices.tests)
    return DriftReport(
        alpha=alpha,
        p_value=min((result.p_value for result in results), default=1.0),
        tests=tests.total() + sum(result.method != "none" for result in numbers) + others,
        rows=sides.window.rows,
        reference_rows=sides.reference.rows,
        results=_ordered([add_impact(result, sides) for result in results], sides),
    )


def _null_distributions(sides: Sides) -> dict[str, MaxDistribution]:
    if not sides.has_rows:
        return {}
    found = sides.profile.calibrated(sides.window.rows, sides.known - sides.absent)
    enough = sides.reference.rows >= MIN_ROWS_FOR_PAIRS
    return {family: null for family, null in found.items() if family != "dependence" or enough}


def _shares(asked: set[str]) -> dict[str, float]:
    total = sum(share for family, share in SHARES.items() if family in asked) or 1.0
    return {family: share * (1 - KEPT_BACK) / total for family, share in SHARES.items()}


def _ordered(results: list[DriftResult], sides: Sides) -> tuple[DriftResult, ...]:
    names = [*sides.columns, PROBABILITY, SLICE]
    return tuple(sorted(results, key=lambda result: (names.index(result.feature), result.aspect)))
