"""Names of segments: their strongest reasons, in the contract's words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.contract import Column, Contract

Floats = NDArray[np.float64]
# A segment in which no column counts for so much, in log-odds and as a part of the strongest reason of all segments, is close to
# the typical customer.
MIN_REASON, MIN_PART_OF_ALL = 0.25, 0.15
# A name has at most so many reasons, each at least such a part of the strongest; more only where two names would be the same.
USUAL_REASONS, MIN_PART = 2, 0.3
# The parts of a sum are one reason where none of them is more than such a part of it.
MAX_SHARE_OF_SUM = 0.75
TYPICAL = "typical"


@dataclass(frozen=True)
class _Reason:
    """What a column, or a sum of columns, adds to the log-odds of a segment's members, and how that is said."""

    strength: float
    words: str
    columns: frozenset[str]


def name_segments(
    features: pd.DataFrame, contributions: Floats, members: NDArray[np.intp], contract: Contract
) -> list[str] | None:
    """Name the segments that customers belong to.

    Parameters
    ----------
    features : pandas.DataFrame, shape (n, n_columns)
    contributions : array of float, shape (n, n_columns)
        Of the same columns, in log-odds.
    members : array of int, shape (n,)
        The number of each customer's segment; each segment has members.
    contract : Contract

    Returns
    -------
    list of str or None
        One a segment, no two the same; None if the words of the contract do not tell two segments apart.
    """
    reasons = [_reasons(features, contributions, members == at, contract) for at in range(int(members.max()) + 1)]
    strongest = max((abs(found[0].strength) for found in reasons if found), default=0.0)
    said = [_usual(found, max(MIN_REASON, MIN_PART_OF_ALL * strongest)) for found in reasons]
    names = [_spell(found[:count]) for found, count in zip(reasons, said, strict=True)]
    while len(set(names)) < len(names):
        # All that share a name say one reason more.
        shared = [at for at, name in enumerate(names) if names.count(name) > 1]
        if all(said[at] >= len(reasons[at]) for at in shared):
            return None
        for at in shared:
            said[at] = min(said[at] + 1, len(reasons[at]))
            names[at] = _spell(reasons[at][: said[at]])
    return names


def _usual(reasons: list[_Reason], least: float) -> int:
    """Return how many reasons a name usually has: those that count for at least so much."""
    if not reasons:
        return 0
    least = max(least, MIN_PART * abs(reasons[0].strength))
    return sum(abs(reason.strength) >= least for reason in reasons[:USUAL_REASONS])


def _spell(reasons: list[_Reason]) -> str:
    return ", ".join(reason.words for reason in reasons) or TYPICAL


def _reasons(features: pd.DataFrame, contributions: Floats, among: NDArray[np.bool_], contract: Contract) -> list[_Reason]:
    """Return a segment's reasons, strongest first; of columns that follow from each other only the strongest."""
    mean = dict(zip(features.columns, contributions[among].mean(axis=0).round(6).tolist(), strict=True))
    weights = dict(zip(features.columns, np.abs(contributions[among]).T, strict=True))
    found = []
    for name, added in contract.sums.items():
        parts = [part for part in added.of if part in mean]
        total = sum(mean[part] for part in parts)
        if len(parts) == len(added.of) and total and max(abs(mean[part]) for part in parts) <= MAX_SHARE_OF_SUM * abs(total):
            values, weight = features[parts].sum(axis=1, skipna=False), np.sum([weights[part] for part in parts], axis=0)
            words = _number_words(name, added.unit, values, among, weight)
            found.append(_Reason(total, words, frozenset(parts)))
    together = frozenset().union(*(reason.columns for reason in found))
    for name in features.columns:
        if mean[name] and name not in together:
            words = _words(contract[name], features[name], among, weights[name], raises=mean[name] > 0)
            found.append(_Reason(mean[name], words, frozenset({name})))
    found.sort(key=lambda reason: -abs(reason.strength))
    related = [frozenset({check.column, check.equals}) for check in contract.checks]
    named: list[_Reason] = []
    for reason in found:
        if not any(reason.columns & pair and one.columns & pair for one in named for pair in related):
            named.append(reason)
    return named


def _words(column: Column, values: pd.Series, among: NDArray[np.bool_], weights: Floats, *, raises: bool) -> str:
    """Say what a segment's members have in a column, those for whom it counts most above all."""
    name = column.name.replace("_", " ")
    if column.kind == "flag":
        share = _mean(values, among, weights)
        return f"{name} not known" if share is None else f"{name} {column.true_level if share >= 0.5 else column.false_level}"
    if column.kind != "category":
        return _number_words(column.name, column.unit, values, among, weights)
    counted = pd.Series(weights).groupby(values[among].fillna("not known").astype(str).to_numpy()).sum()
    level = str(counted.idxmax())
    if counted[level] >= counted.sum() / 2:
        return f"{name} {level}"
    return f"{name} of {'high' if raises else 'low'} risk"


def _number_words(name: str, unit: str | None, values: pd.Series, among: NDArray[np.bool_], weights: Floats) -> str:
    words = name.replace("_", " ")
    own = _mean(values, among, weights)
    if own is None:
        return f"{words} not known"
    high = own > float(values.mean())
    if unit and words.endswith(unit):
        return f"{'many' if high else 'few'} {words.removeprefix('number of ').removeprefix('number ').removeprefix('total ')}"
    return f"{'high' if high else 'low'} {words}"


def _mean(values: pd.Series, among: NDArray[np.bool_], weights: Floats) -> float | None:
    own = values.to_numpy(dtype=np.float64)[among]
    known = ~np.isnan(own)
    total = float(weights[known].sum())
    # (That a number is missing may count by itself, and more than what the others have.)
    return float(own[known] @ weights[known]) / total if total > float(weights[~known].sum()) else None
