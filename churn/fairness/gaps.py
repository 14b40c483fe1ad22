"""Gaps between groups of customers: how much wider one model's are than another's, on the same customers.

A gap is the largest rate of a column's groups minus the smallest, as on the scorecard (`churn.evaluation.slices.gaps_of`).
Customers are resampled with all of their rows, and both models answer the same resamples, so that what both err alike cancels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.config.params import Gap, SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.paired import Answers
from churn.evaluation.slice_levels import sliced_levels
from churn.evaluation.slices import Slice, slice_by
from churn.evaluation.statistics import Customers

Floats = NDArray[np.float64]
Groups = Mapping[str, Sequence[Slice]]
# Numbers held in memory at once: resamples x kinds of customers.
AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Widening:
    """How much wider one gap is under a second model than under a first one.

    Attributes
    ----------
    column : str
        The sensitive column.
    measure : str
        Which rate: of `churn.config.params.FairnessParams.gaps`.
    first, second : float
        The gap under each model, in [0, 1].
    change : float
        Second minus first; below 0 the second is narrower.
    low, high : float
        Bounds of the change, each one-sided.
    rates : dict of str to (float, float)
        The rate of each group under both models.
    """

    column: str
    measure: Gap
    first: float
    second: float
    change: float
    low: float
    high: float
    rates: dict[str, tuple[float, float]]

    @property
    def name(self) -> str:
        """Return what the gap is called in a sentence."""
        return f"{self.measure.replace('_', ' ')} by {self.column}"


def groups_of(known: Labelled, contract: Contract, params: SliceParams) -> tuple[dict[str, list[Slice]], list[str]]:
    """Return the groups of each sensitive column that has two at least, and why others have not.

    Parameters
    ----------
    known : Labelled
    contract : Contract
    params : SliceParams
        How large a group must be; levels that are smaller are pooled.

    Returns
    -------
    groups : dict of str to list of Slice
    notes : list of str
        At most one sentence for each column: customers in no group, or why there are no groups.
    """
    groups: dict[str, list[Slice]] = {}
    columns = dict(sliced_levels(known.features[[]], known.sensitive, contract, params))
    notes = [f"{column.name}: not known of these customers" for column in contract.sensitive if column.name not in columns]
    for column, levels in columns.items():
        found, noted = slice_by(column, levels, known, params)
        notes += noted
        if len(found) > 1:
            groups[column] = found
    return groups, notes


def widenings(
    outcome: np.ndarray,
    first: Answers,
    second: Answers,
    groups: Groups,
    measures: Sequence[Gap],
    *,
    confidence: float,
    resamples: int,
    seed: int,
    customer: Customers | None = None,
) -> list[Widening]:
    """Return how much wider each gap is under the second model, with bounds that hold for all of them at once.

    Each bound is a percentile of the paired bootstrap, one-sided, corrected for the number of gaps (Bonferroni).

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    first, second : Answers
        Each with its own threshold.
    groups : mapping of str to sequence of Slice
        The groups of each column, as `groups_of` gives them: each with customers who churned and who stayed.
    measures : sequence of {"recall", "selection_rate", "false_positive_rate"}
    confidence : float
        In (0.5, 1).
    resamples, seed : int
    customer : array of int, shape (n,), optional
        Which rows are of the same customer; None if each is of another one.

    Returns
    -------
    list of Widening
        By column, then by measure.

    Examples
    --------
    >>> y, woman = np.ones(40, dtype=np.int64), np.arange(40) % 2 == 0
    >>> groups = {"gender": [Slice("gender", "female", woman), Slice("gender", "male", ~woman)]}
    >>> same, harsh = Answers(np.full(40, 0.9), 0.5), Answers(np.where(woman, 0.1, 0.9), 0.5)
    >>> [found] = widenings(y, same, harsh, groups, ["recall"], confidence=0.95, resamples=200, seed=1)
    >>> found.first, found.second, found.rates
    (0.0, 1.0, {'female': (1.0, 0.0), 'male': (1.0, 1.0)})
    """
    asked = [(column, measure) for column in groups for measure in measures]
    if not asked:
        return []
    judged = np.stack([np.asarray(model.probability) >= model.threshold for model in (first, second)], axis=1)
    table = np.concatenate([_counted(np.asarray(outcome), judged, groups[of], measure) for of, measure in asked], axis=1)
    ends = np.cumsum([3 * len(groups[column]) for column, _ in asked])[:-1]
    once = [_rates(part) for part in np.split(table.sum(axis=0, keepdims=True), ends, axis=1)]
    drawn = [np.split(sums, ends, axis=1) for sums in _resampled(table, resamples, seed, customer)]
    tail = (1 - confidence) / len(asked)
    found = []
    for number, (column, measure) in enumerate(asked):
        old, new = once[number][0].T
        changes = np.concatenate([_change(_rates(pieces[number])) for pieces in drawn])
        low, high = np.quantile(changes[np.isfinite(changes)], [tail, 1 - tail])
        rates = {part.level: (float(before), float(after)) for part, before, after in zip(groups[column], old, new, strict=True)}
        gaps = float(np.ptp(old)), float(np.ptp(new))
        found.append(Widening(column, measure, *gaps, gaps[1] - gaps[0], float(low), float(high), rates))
    return found


def _counted(outcome: np.ndarray, judged: np.ndarray, groups: Sequence[Slice], measure: Gap) -> Floats:
    """Return for each row and group whether it is in the rate's denominator, and in each model's numerator, (n, 3 groups)."""
    of = {"recall": outcome == 1, "selection_rate": np.ones(len(outcome), np.bool_), "false_positive_rate": outcome == 0}[measure]
    parts = [np.column_stack([of & part.rows, judged & (of & part.rows)[:, None]]) for part in groups]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _resampled(table: Floats, resamples: int, seed: int, customer: Customers | None) -> Iterator[Floats]:
    """Give the sums of resampled customers' rows, in pieces.

    Customers who are alike in the table need not be told apart, so what is drawn is how many there are of each kind.
    """
    if customer is not None:
        _, places = np.unique(customer, return_inverse=True)
        sums = np.zeros((int(places.max()) + 1, table.shape[1]))
        np.add.at(sums, places, table)
        table = sums
    kinds, times = np.unique(table, axis=0, return_counts=True)
    rng, piece = np.random.default_rng(seed), max(1, AT_ONCE // len(kinds))
    for start in range(0, resamples, piece):
        yield rng.multinomial(len(table), times / len(table), min(piece, resamples - start)) @ kinds


def _rates(sums: Floats) -> Floats:
    """Return both models' rates of each group, shape (resamples, groups, 2); NaN where nobody of a group was drawn."""
    counts = sums.reshape(len(sums), -1, 3)
    of = counts[:, :, :1]
    return np.asarray(np.divide(counts[:, :, 1:], of, out=np.full(counts[:, :, 1:].shape, np.nan), where=of > 0))


def _change(rates: Floats) -> Floats:
    gaps = np.ptp(rates, axis=1)
    return np.asarray(gaps[:, 1] - gaps[:, 0])
