"""Split customers into those who are learned from and those held out. Nothing is fitted before this."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.config.params import SplitParams
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled, customer_numbers
from churn.errors import InputError
from churn.modeling.assignment import Assignment


def split(dataset: Dataset, who: Assignment, params: SplitParams, *, folds: int) -> tuple[Labelled, Labelled]:
    """Split into training customers and a holdout.

    Parameters
    ----------
    dataset : Dataset
        Labelled.
    who : Assignment
        Of its rows.
    params : SplitParams
    folds : int
        Folds of the later tuning: each class needs at least as many training customers.

    Returns
    -------
    train, holdout : Labelled

    Raises
    ------
    InputError
        If there is one class only, or if chance leaves too few customers of a class for the folds, or none for the holdout.
    """
    outcome = dataset.labelled.to_numpy()
    (stayed, churned), learned, held = (
        _customers(outcome, who, rows) for rows in (np.ones(len(who), dtype=np.bool_), who.learns, who.judges)
    )
    if min(stayed, churned) == 0:
        raise InputError(f"{dataset.source}: every customer {'stayed' if churned == 0 else 'churned'}; both are needed to learn")
    found = f"{dataset.source}: {churned} churned and {stayed} stayed"
    if 2 * (customers := len(np.unique(who.customer))) <= len(who):
        # Of few columns, many are alike: more rows would change nothing.
        found += f" ({len(who)} rows are of {customers} customers: where no id tells them apart, rows that are alike are of one)"
    remedy = f"more customers are needed, or another split.key (now {params.key!r}) before the first model"
    if min(learned) < folds:
        raise InputError(
            f"{found}, of whom {learned[1]} and {learned[0]} may be learned from; {folds} folds need at least {folds} of each: "
            f"{remedy}"
        )
    if min(held) < 1:
        taught = f" ({len(who.left_out)} more are learned from under other keys)" if who.left_out else ""
        raise InputError(f"{found}, of whom {held[1]} and {held[0]} are in the holdout, which needs both{taught}: {remedy}")
    return take(dataset, who, who.learns), take(dataset, who, who.judges)


def _customers(outcome: NDArray[np.int64], who: Assignment, rows: NDArray[np.bool_]) -> tuple[int, int]:
    """Count the customers among these rows who stayed, and those who churned; who did both counts for both."""
    stayed, churned = (len(np.unique(who.customer[rows & (outcome == level)])) for level in (0, 1))
    return stayed, churned


def take(dataset: Dataset, who: Assignment, rows: NDArray[np.bool_]) -> Labelled:
    """Take rows of a dataset, with who is who among them.

    Parameters
    ----------
    dataset : Dataset
        Labelled.
    who : Assignment
        Of its rows.
    rows : array of bool, shape (n,)

    Returns
    -------
    Labelled
    """
    return Labelled(
        dataset.features[rows].reset_index(drop=True),
        dataset.labelled[rows].reset_index(drop=True),
        None if dataset.sensitive is None else dataset.sensitive[rows].reset_index(drop=True),
        customer=customer_numbers(pd.Series(who.customer[rows])),
        fold=who.fold[rows],
        asked_at=None if dataset.asked_at is None else dataset.asked_at[rows].reset_index(drop=True),
    )
