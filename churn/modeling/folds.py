"""Folds of customers: by each one's own draw, so that nobody moves when others come; or dealt out where that is too uneven."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, PredefinedSplit, StratifiedGroupKFold, StratifiedKFold

from churn.data.labelled import Labelled
from churn.errors import InputError


def make_folds(train: Labelled, folds: int, seed: int) -> BaseCrossValidator:
    """Return the folds that a search is scored on. All rows of a customer are in one fold.

    Parameters
    ----------
    train : Labelled
    folds : int
    seed : int
        Used where the customers have no place of their own among the folds.

    Returns
    -------
    sklearn.model_selection.BaseCrossValidator
        To be given `train.customer` as groups, where there are no places.
    """
    if train.fold is not None:
        return PredefinedSplit(fold_numbers(train.outcome.to_numpy(), train.fold, folds, train.customer))
    kind = StratifiedKFold if train.customer is None else StratifiedGroupKFold
    return kind(folds, shuffle=True, random_state=seed)


def folds_of(train: Labelled, folds: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the rows to fit on, and those to predict, of each fold of a search.

    Parameters
    ----------
    train : Labelled
    folds, seed : int
        As in `make_folds`.

    Returns
    -------
    list of (array of int, array of int)
    """
    groups = train.customer if train.fold is None else None
    return list(make_folds(train, folds, seed).split(np.empty((len(train), 0)), train.outcome, groups))


def fold_numbers(
    outcome: NDArray[np.int64], fold: NDArray[np.float64], folds: int, customer: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Number the fold of each row. All rows of a customer are in one fold, whatever their order.

    A customer's draw decides, whoever else is there. Where chance leaves a fold without one of the two classes, as it does with
    few churners, customers are dealt out instead: each class in the order of its draws, to one fold after the other (first of
    all those whose rows say both). Then a customer who comes later may move others.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    fold : array of float64 in [0, 1), shape (n,)
        Draws; the same for all rows of a customer.
    folds : int
        At least 2.
    customer : array of int64, shape (n,), optional
        Which rows are about the same customer; None if each is about another one.

    Returns
    -------
    numpy.ndarray of int64 in [0, folds), shape (n,)

    Raises
    ------
    InputError
        If a class has fewer customers than there are folds.

    Examples
    --------
    >>> fold_numbers(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.6, 0.9]), 2).tolist()
    [0, 0, 1, 1]
    >>> fold_numbers(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]), 2).tolist()
    [0, 0, 1, 1]
    """
    drawn = np.minimum((fold * folds).astype(np.int64), folds - 1)
    if _has_both(outcome, drawn, folds):
        return drawn
    who = np.arange(len(outcome)) if customer is None else customer
    people = pd.DataFrame({"churned": outcome == 1, "stayed": outcome == 0, "fold": fold}).groupby(who, sort=True).max()
    for word in ("churned", "stayed"):
        if (count := int(people[word].sum())) < folds:
            raise InputError(f"{count} of the customers to learn from {word}; {folds} folds need at least {folds} of each")
    # Who did both is dealt out first, and counts for both classes.
    both = people["churned"] & people["stayed"]
    rank = people.groupby([both, "churned"])["fold"].rank(method="first").astype(np.int64) - 1 + both.sum() * ~both
    return np.asarray((rank % folds).reindex(who), dtype=np.int64)


def _has_both(outcome: NDArray[np.int64], fold: NDArray[np.int64], folds: int) -> bool:
    """Tell whether each fold has customers who churned and customers who stayed."""
    return all(bool((np.bincount(fold[outcome == level], minlength=folds) > 0).all()) for level in (0, 1))
