"""Comparisons of dependence: the correlations of rank scores, pair by pair."""

from __future__ import annotations

import numpy as np

from monitoring.drift.columns import PROBABILITY
from monitoring.drift.families.sides import Sides
from monitoring.drift.months import Figures
from monitoring.drift.null_distribution import MaxDistribution
from monitoring.drift.rank_scores import Floats
from monitoring.drift.results import DriftResult
from monitoring.drift.sums import Sums

# Pairs that are listed: the most surprising ones, one for two columns.
MAX_PAIRS_LISTED = 5
# A score that hardly varies in a window has no correlation: dividing by next to nothing would blow chance up.
MIN_VARIANCE = 0.1


def compare_dependence(sides: Sides, null: MaxDistribution, share: float) -> list[DriftResult]:
    """Compare how columns hang together, and return the most surprising pairs.

    Parameters
    ----------
    sides : Sides
        The window and its reference.
    null : MaxDistribution
        Of the largest |z| of all pairs.
    share : float
        Of alpha, in (0, 1): what dependence has.

    Returns
    -------
    list of DriftResult
        At most 5, the most surprising first; one at least, drifted or not.
    """
    usable = sides.profile.usable_pairs(sides.absent)
    first, second = np.array(sides.profile.pairs)[usable].T
    spreads, owners = sides.profile.pair_spreads[usable], sides.profile.pair_columns
    rows, known_rows = (np.maximum(side.together[first, second], 1) for side in (sides.window, sides.reference))
    # Correlations, not products: what only moved, or spread, as a whole hangs together as before.
    before, now = (_correlations(sides, side)[first, second] for side in (sides.reference, sides.window))
    z = sides.as_normal(np.abs(now - before) / spreads / np.sqrt(1 / rows + 1 / known_rows))

    def of_month(month: Sums) -> Figures:
        return _correlations(sides, month)[first, second], month.together[first, second]

    z = np.minimum(z, sides.profile.months.beyond_usual(now, rows, of_month, spreads**2))
    found: dict[tuple[str, str], DriftResult] = {}
    for place in np.argsort(-z):
        pair = (owners[first[place]], owners[second[place]])
        if pair in found:
            continue
        p_value = min(1.0, null.p_value(float(z[place])) / share)
        if len(found) >= MAX_PAIRS_LISTED or (found and p_value > sides.alpha):
            break
        then, after = float(before[place]), float(now[place])
        found[pair] = sides.result(
            pair[0],
            "dependence",
            "rank products",
            statistic=abs(after - then),
            p_value=p_value,
            measure=f"rank correlation with {pair[1]}",
            values=(then, after),
            other=pair[1],
        )
    return list(found.values())


def _correlations(sides: Sides, side: Sums) -> Floats:
    """Correlate the scores that take part in pairs with each other, over the rows where both are there."""
    means = _pair_means(sides, side)
    variances = np.diag(side.products) / np.maximum(np.diag(side.together), 1) - means**2
    covariances = side.products / np.maximum(side.together, 1) - np.outer(means, means)
    scales = np.sqrt(np.maximum(variances, MIN_VARIANCE))
    return np.asarray(covariances / np.outer(scales, scales))


def _pair_means(sides: Sides, side: Sums) -> Floats:
    """Return the means of the scores that take part in pairs. Flags' follow from their levels, numbers' stand in the sums."""
    profile = sides.profile
    means: list[float] = []
    for name, scores in (profile.numbers | profile.flags).items():
        if name == PROBABILITY:
            continue
        present = max(side.present[name], 1)
        if name in profile.flags:
            means.append(profile.flag_total(name, side) / present)
        else:
            means.extend((side.scores[sides.score_owners == name][: scores.pair_orders] / present).tolist())
    return np.array(means)
