"""Slices: groups of customers on which the model is evaluated separately, because a good mean can hide a bad group.

Slices are the levels of every flag and category among the features, of the bands in params.yaml, and of every column that the
contract marks as sensitive (`churn.evaluation.slice_levels`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churn.config.params import EvaluationParams, SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.intervals import metric_intervals
from churn.evaluation.scorecard import evaluate
from churn.evaluation.slice_levels import sliced_levels
from churn.evaluation.statistics import Customers

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("churn_rate", "roc_auc", "brier", "log_loss", "calibration_gap", "selection_rate", "precision", "recall")
WITH_INTERVAL = ("roc_auc", "log_loss", "calibration_gap", "recall")


@dataclass(frozen=True)
class Slice:
    """Customers who have one level of one column.

    Attributes
    ----------
    column, level : str
        The level as the contract writes it, or a derived one: a band, "other (3 levels)", "missing".
    rows : array of bool, shape (n,)
        The customers in it.
    members : tuple of str
        The levels that it holds: several where small ones are pooled.
    """

    column: str
    level: str
    rows: np.ndarray
    members: tuple[str, ...] = ()


def slices_of(known: Labelled, contract: Contract, params: SliceParams) -> list[Slice]:
    """Return the slices with enough customers of each class, in the contract's order.

    Levels with too few are pooled as "other (N levels)", and left out if they are too few even so. A column whose one
    slice holds everybody has none.

    Parameters
    ----------
    known : Labelled
    contract : Contract
    params : SliceParams

    Returns
    -------
    list of Slice
    """
    return find_slices(known, contract, params)[0]


def find_slices(known: Labelled, contract: Contract, params: SliceParams) -> tuple[list[Slice], list[str]]:
    """Return the slices, and notes on customers who are in none.

    Parameters
    ----------
    known : Labelled
    contract : Contract
    params : SliceParams

    Returns
    -------
    slices : list of Slice
        As `slices_of`.
    notes : list of str
        One sentence per column with customers in no slice, or with bands that match no feature.
    """
    found: list[Slice] = []
    # (Those of params.yaml as it comes are for several companies: only a band that somebody wrote is missed.)
    packaged = SliceParams().bands
    notes = [
        f"{name}: has bands in params.yaml, but is no numeric feature of contract {contract.name!r}"
        for name in params.bands
        if name not in contract.numeric_features and not (name in packaged and name not in contract.feature_names)
    ]
    for column, levels in sliced_levels(known.features, known.sensitive, contract, params):
        of_column, noted = slice_by(column, levels, known, params)
        found += of_column
        notes += noted
    return found, notes


def slice_by(column: str, levels: pd.Series, known: Labelled, params: SliceParams) -> tuple[list[Slice], list[str]]:
    """Return the slices of one column, and a note on customers who are in none.

    Parameters
    ----------
    column : str
    levels : pandas.Series, shape (n,)
        Each customer's level, as categories in their order; whoever has none is in no slice.
    known : Labelled
    params : SliceParams

    Returns
    -------
    slices : list of Slice
        None if one holds everybody.
    notes : list of str
        At most one sentence.
    """
    outcome, rows = known.outcome.to_numpy(), "customers" if known.customer is None else "rows"
    found, left_out = _pooled(column, levels, _Sizes(outcome, known.customer, params))
    left_out += int(levels.isna().sum())
    if levels.nunique() == 1:
        return [], [f"{column}: every customer is {str(levels.iloc[0])!r}, so there are no groups to compare"]
    if len(found) == 1 and found[0].rows.all():
        found, left_out = [], len(outcome)
    if not left_out:
        return found, []
    return found, [
        f"{column}: {left_out:,} of {len(outcome):,} {rows} are in no slice; it takes {params.min_rows} customers, "
        f"{params.min_churners} who churned and as many who stayed"
    ]


def _pooled(column: str, levels: pd.Series, sizes: _Sizes) -> tuple[list[Slice], int]:
    """Turn levels into slices, small ones pooled; return them and the number of rows in none."""
    names, codes = [str(level) for level in levels.cat.categories], levels.cat.codes.to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    large: list[Slice] = []
    small: list[int] = []
    for code in np.flatnonzero(counts).tolist():
        # Customers are no more than rows: of ten thousand levels, few need a closer look.
        if counts[code] >= sizes.params.min_rows and sizes.enough(rows := codes == code):
            large.append(Slice(column, names[code], rows, (names[code],)))
        else:
            small.append(code)
    if not small:
        return large, 0
    together = np.isin(codes, small)
    if not sizes.enough(together):
        return large, int(together.sum())
    members = tuple(names[code] for code in small)
    return [*large, Slice(column, f"other ({len(small)} levels)", together, members)], 0


@dataclass(frozen=True)
class _Sizes:
    """Counts customers, who may have several rows: each once."""

    outcome: np.ndarray
    customer: Customers | None
    params: SliceParams

    def enough(self, rows: np.ndarray) -> bool:
        """Return whether a slice has enough customers, of each outcome too."""
        churned, stayed = (self._count(rows & (self.outcome == outcome)) for outcome in (1, 0))
        return self._count(rows) >= self.params.min_rows and min(churned, stayed) >= self.params.min_churners

    def _count(self, rows: np.ndarray) -> int:
        return int(rows.sum()) if self.customer is None else len(np.unique(self.customer[rows]))


def score_slices(
    outcome: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    slices: list[Slice],
    params: EvaluationParams,
    seed: int,
    customer: Customers | None = None,
) -> pd.DataFrame:
    """Score each slice on its own, with bootstrap intervals within it.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    threshold : float
    slices : list of Slice
    params : EvaluationParams
    seed : int
    customer : array of int, shape (n,), optional
        Which rows are of the same customer; None if each is of another one.

    Returns
    -------
    pandas.DataFrame, shape (n_slices, …)
        column, level, rows, churned (counts), then the names of `Scorecard`; intervals are `<name>_low` and `<name>_high`.
    """
    import pandas as pd

    rows = []
    for part in slices:
        y, p = outcome[part.rows], probability[part.rows]
        card = evaluate(y, p, threshold)
        who = None if customer is None else customer[part.rows]
        intervals = metric_intervals(
            *(y, p, threshold),
            confidence=params.confidence,
            resamples=params.resamples,
            seed=seed,
            customer=who,
            among=len(outcome),
        )
        rows.append(
            [part.column, part.level, len(y), int(y.sum()), *(getattr(card, name) for name in MEASURES)]
            + [bound for name in WITH_INTERVAL for bound in intervals[name]]
        )
    bounds = [f"{name}_{side}" for name in WITH_INTERVAL for side in ("low", "high")]
    return pd.DataFrame(rows, columns=["column", "level", "rows", "churned", *MEASURES, *bounds])


def gaps_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each column how far its levels are apart: the largest value minus the smallest.

    For recall that is the difference of equal opportunity (Hardt, Price and Srebro, NIPS 2016), for the selection rate the
    difference of demographic parity: Fairlearn's `equal_opportunity_difference` and `demographic_parity_difference`. Where churn
    rates differ, so do the selection rates of the best of models: a gap is a question, not a proof of unfairness.

    Parameters
    ----------
    table : pandas.DataFrame
        As `score_slices` gives it.

    Returns
    -------
    pandas.DataFrame
        column, levels (how many), then the gaps churn_rate, selection_rate, recall in [0, 1]. Columns of one level have none.
    """
    measures = ["churn_rate", "selection_rate", "recall"]
    groups = table.groupby("column", sort=False)
    gaps = groups[measures].max() - groups[measures].min()
    gaps.insert(0, "levels", groups.size())
    return gaps[gaps["levels"] > 1].reset_index()
