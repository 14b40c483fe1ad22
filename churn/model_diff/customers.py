"""What another model changes for each customer: who would be named by one and not by the other, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from churn.evaluation.paired import Answers
from churn.explain.frames import column_values
from churn.model_diff.reasons import Reasons

REASONS = 3


@dataclass(frozen=True)
class Named:
    """How many customers are predicted to churn by both models, by one, by neither; and how many of each churned."""

    both: int
    first_only: int
    second_only: int
    neither: int
    churned: dict[str, int]


@dataclass(frozen=True)
class Reason:
    """A column of one customer, and its contribution to the log-odds in each model; 0 where a model does not read it."""

    feature: str
    value: Any
    first: float
    second: float


@dataclass(frozen=True)
class CustomerChange:
    """One customer whose probability changes.

    Attributes
    ----------
    customer : str
        Its id, or the number of its row in the file, from 1.
    churned : bool
    first, second : float
        Probability of churn.
    named_by : str
        Who predicts churn: both, first, second, neither.
    reasons : list of Reason
        The columns whose contributions differ most; empty if a model is no sum of terms.
    """

    customer: str
    churned: bool
    first: float
    second: float
    named_by: str
    reasons: list[Reason]


WORDS = np.array(["neither", "first", "second", "both"])


def named_by(first: Answers, second: Answers) -> np.ndarray:
    """Tell who predicts churn of each customer.

    Parameters
    ----------
    first, second : Answers
        Of the same n customers.

    Returns
    -------
    numpy.ndarray of str, shape (n,)
        "both", "first", "second" or "neither".
    """
    return np.asarray(WORDS[(first.probability >= first.threshold) + 2 * (second.probability >= second.threshold)])


def count_named(who: np.ndarray, outcome: np.ndarray) -> Named:
    """Count customers by who predicts that they churn.

    Parameters
    ----------
    who : array of str, shape (n,)
        As `named_by` returns it.
    outcome : array of 0 and 1, shape (n,)

    Returns
    -------
    Named

    Examples
    --------
    >>> count_named(np.array(["both", "first", "first"]), np.array([1, 1, 0])).churned
    {'both': 1, 'first_only': 1, 'second_only': 0, 'neither': 0}
    """
    words = {"both": "both", "first_only": "first", "second_only": "second", "neither": "neither"}
    counts = {name: int((who == word).sum()) for name, word in words.items()}
    return Named(**counts, churned={name: int(outcome[who == word].sum()) for name, word in words.items()})


def largest_changes(
    customers: pd.DataFrame,
    names: pd.Series,
    outcome: np.ndarray,
    answers: tuple[Answers, Answers],
    reasons: tuple[Reasons, Reasons] | None,
    top: int,
) -> list[CustomerChange]:
    """Return the customers whose probability changes most: first those whom one model names and the other does not.

    Parameters
    ----------
    customers : pandas.DataFrame, shape (n, n_features)
    names : pandas.Series of str, shape (n,)
    outcome : array of 0 and 1, shape (n,)
    answers : (Answers, Answers)
        Of the first model and the second.
    reasons : (Reasons, Reasons) or None
    top : int

    Returns
    -------
    list of CustomerChange
    """
    first, second = answers
    who = named_by(first, second)
    moved = np.abs(second.probability - first.probability)
    disputed = (who == "first") | (who == "second")
    order = np.lexsort((np.arange(len(moved)), -moved, ~disputed))[:top]
    chosen = order[moved[order] > 0]
    told = _differences(customers.iloc[chosen], reasons) if reasons else [[] for _ in chosen]
    return [
        CustomerChange(
            str(names.iloc[at]),
            bool(outcome[at]),
            float(first.probability[at]),
            float(second.probability[at]),
            str(who[at]),
            why,
        )
        for at, why in zip(chosen.tolist(), told, strict=True)
    ]


def _differences(customers: pd.DataFrame, reasons: tuple[Reasons, Reasons]) -> list[list[Reason]]:
    frames = [pd.DataFrame(of.of(customers), columns=list(of.columns)) for of in reasons]
    columns = list(dict.fromkeys([*frames[0], *frames[1]]))
    first, second = (frame.reindex(columns=columns, fill_value=0.0).to_numpy() for frame in frames)
    known = column_values(customers[columns])
    found = []
    for row, (old, new) in enumerate(zip(first, second, strict=True)):
        order = np.argsort(-np.abs(new - old), kind="stable")[:REASONS]
        found.append([Reason(columns[at], known[at][row], float(old[at]), float(new[at])) for at in order if new[at] != old[at]])
    return found
