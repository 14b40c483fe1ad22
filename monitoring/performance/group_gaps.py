"""Gaps between groups of customers in production: does the model find the leavers of each group alike?

Groups are the levels of the contract's sensitive columns, as far as the company sent them. A gap is the largest rate of a
column's groups minus the smallest, as on the scorecard. A largest minus a smallest is never below 0, so each gap comes with how
often groups drawn at random from the same customers are as far apart (permutation test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churn.config.params import Gap, SliceParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.slices import Slice
from churn.evaluation.weights import WEIGHT
from churn.fairness.gaps import groups_of

if TYPE_CHECKING:
    import pandas as pd

# Whatever params.yaml says of slices: of fewer nothing is told, since a rate of few says something of each.
MIN_CUSTOMERS = 20
PERMUTATIONS, SEED = 999, 20_260_101
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One group's rate.

    Attributes
    ----------
    group : str
        The level; small ones are pooled.
    customers : int
        In the group, with an outcome.
    among : int
        Of whom the rate is a share: of recall, those who left.
    rate : float
        In [0, 1].
    """

    group: str
    customers: int
    among: int
    rate: float


@dataclass(frozen=True, slots=True)
class GroupGap:
    """One gap between the groups of one column.

    Attributes
    ----------
    column : str
        The sensitive column.
    measure : {"recall", "selection_rate", "false_positive_rate"}
        Which rate.
    gap : float
        The largest rate minus the smallest, in [0, 1].
    p_value : float
        How often groups that are drawn at random are so far apart, or more.
    rates : tuple of GroupRate
        The largest first.
    """

    column: str
    measure: Gap
    gap: float
    p_value: float
    rates: tuple[GroupRate, ...]


@dataclass(frozen=True, slots=True)
class GroupReport:
    """All gaps of a run.

    Attributes
    ----------
    customers, known : int
        With an outcome; and those of them of whom anything sensitive was sent.
    gaps : tuple of GroupGap
        By column, then by measure.
    notes : tuple of str
        Who is in no group, and which columns have none.
    """

    customers: int
    known: int
    gaps: tuple[GroupGap, ...]
    notes: tuple[str, ...] = ()


def compare_groups(outcomes: pd.DataFrame, contract: Contract, params: SliceParams, measures: Sequence[Gap]) -> GroupReport:
    """Compare the groups of each sensitive column.

    Parameters
    ----------
    outcomes : pandas.DataFrame, shape (n, m)
        Columns churn_probability, threshold and churned, none missing, a row a customer; weight where some stand for others; and
        the sensitive columns of which anything is known, as `churn.data.sensitive_levels.sensitive_frame` gives them.
    contract : Contract
        Says which columns are sensitive.
    params : SliceParams
        How large a group must be, but never below `MIN_CUSTOMERS`.
    measures : sequence of {"recall", "selection_rate", "false_positive_rate"}
        Which gaps.

    Returns
    -------
    GroupReport
        The same for the same input: what is random inside is seeded.
    """
    import pandas as pd

    sensitive = outcomes[[column.name for column in contract.sensitive if column.name in outcomes]]
    known = sensitive.notna().any(axis=1).to_numpy()
    rows = outcomes[known].reset_index(drop=True)
    if not len(rows):
        return GroupReport(len(outcomes), 0, ())
    left = rows["churned"].to_numpy() == 1
    labelled = Labelled(pd.DataFrame(index=rows.index), pd.Series(left.astype(np.int64)), sensitive[known].reset_index(drop=True))
    groups, notes = groups_of(labelled, contract, params.model_copy(update={"min_rows": max(params.min_rows, MIN_CUSTOMERS)}))
    named = (rows["churn_probability"] >= rows["threshold"]).to_numpy()
    weight = rows[WEIGHT].to_numpy(dtype=np.float64) if WEIGHT in rows else np.ones(len(rows))
    among = {"recall": left, "selection_rate": np.ones(len(rows), np.bool_), "false_positive_rate": ~left}
    gaps = [
        _gap(column, measure, parts, among[measure], named, weight) for column, parts in groups.items() for measure in measures
    ]
    return GroupReport(len(outcomes), len(rows), tuple(gaps), tuple(notes))


def _gap(
    column: str, measure: Gap, parts: Sequence[Slice], among: NDArray[np.bool_], named: NDArray[np.bool_], weight: Floats
) -> GroupGap:
    code = np.full(len(among), -1, dtype=np.int64)
    for place, part in enumerate(parts):
        code[part.rows] = place
    of = among & (code >= 0)
    drawn, w = code[of], weight[of]
    hit = w * named[of]

    def rates(group: NDArray[np.int64]) -> Floats:
        return np.bincount(group, weights=hit, minlength=len(parts)) / np.bincount(group, weights=w, minlength=len(parts))

    found = rates(drawn)
    gap, rng = float(np.ptp(found)), np.random.default_rng(SEED)
    # What is equal but for rounding counts as reached.
    reached = sum(float(np.ptp(rates(rng.permutation(drawn)))) >= gap - 1e-12 for _ in range(PERMUTATIONS))
    told = [
        GroupRate(part.level, int(part.rows.sum()), int((of & part.rows).sum()), float(rate))
        for part, rate in zip(parts, found, strict=True)
    ]
    ordered = tuple(sorted(told, key=lambda one: -one.rate))
    return GroupGap(column, measure, gap, (1 + reached) / (1 + PERMUTATIONS), ordered)
