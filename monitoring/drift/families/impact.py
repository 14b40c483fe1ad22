"""How much a shift matters to the model: its effect on the mean log-odds of leaving."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from monitoring.drift.families.sides import Sides
from monitoring.drift.results import DriftResult

# A shift that moves the mean log-odds by so much matters, however little the model makes of the column elsewhere.
MIN_IMPACT = 0.05


def add_impact(result: DriftResult, sides: Sides) -> DriftResult:
    """Add what a result matters to the model.

    Parameters
    ----------
    result : DriftResult
        Of any comparison.
    sides : Sides
        The window and its reference.

    Returns
    -------
    DriftResult
        With `impact` where it can be known, and `note` where the model makes nothing of the column.
    """
    weights = sides.profile.weights
    if weights is None or result.aspect == "prediction":
        return result
    impact = _impact(result.feature, sides) if result.aspect in ("values", "range") else None
    # (A group is no column: what counts is what moved in it.)
    alone = result.other is None or result.aspect == "slice" or weights.ignores(result.other)
    ignored = weights.ignores(result.feature) and alone
    return replace(result, impact=impact, note=result.drifted and ignored and abs(impact or 0.0) < MIN_IMPACT)


def _impact(name: str, sides: Sides) -> float | None:
    profile, window, weights = sides.profile, sides.window, sides.profile.weights
    present = window.present[name]
    if weights is None or not present:
        return None
    if name in profile.numbers and name in weights.scores:
        return float(window.scores[sides.score_owners == name] @ weights.scores[name] / present)
    if name in weights.scores:
        return float(profile.flag_total(name, window) / present * weights.scores[name][0])
    if name in weights.levels:
        now, before = (side.levels.get(name, Counter()) for side in (window, sides.reference))
        known = max(sides.reference.present[name], 1)
        return float(sum(w * (now.get(x, 0) / present - before.get(x, 0) / known) for x, w in weights.levels[name].items()))
    return None
