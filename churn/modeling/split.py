"""Split customers into those trained on and those held out. Nothing is fitted before this."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.errors import InputError


def split(dataset: Dataset, *, holdout: float, folds: int, seed: int) -> tuple[Labelled, Labelled]:
    """Split into training customers and a holdout with the same churn rate; the same seed gives the same split.

    Parameters
    ----------
    dataset : Dataset
        Labelled.
    holdout : float
        Share held out, in (0, 1).
    folds : int
        Folds of the later tuning: each class needs at least as many training customers.
    seed : int

    Returns
    -------
    train, holdout : Labelled

    Raises
    ------
    InputError
        If there is one class only, or too few customers of a class for the folds or for the holdout.
    """
    outcome = dataset.labelled
    counts = {level: int((outcome == level).sum()) for level in (0, 1)}
    if min(counts.values()) == 0:
        raise InputError(
            f"{dataset.source}: every customer {'stayed' if counts[1] == 0 else 'churned'}; both are needed to learn"
        )
    if int(min(counts.values()) * (1 - holdout)) < folds:
        raise InputError(
            f"{dataset.source}: {counts[1]} churned and {counts[0]} stayed; {folds} folds need at least "
            f"{int(np.ceil(folds / (1 - holdout)))} of each"
        )
    if min(counts.values()) * holdout < 1:
        raise InputError(
            f"{dataset.source}: {counts[1]} churned and {counts[0]} stayed; a holdout of {holdout:g} needs at least "
            f"{int(np.ceil(1 / holdout))} of each"
        )
    train, held = train_test_split(np.arange(len(dataset)), test_size=holdout, stratify=outcome, random_state=seed)
    return _take(dataset, np.sort(train)), _take(dataset, np.sort(held))


def _take(dataset: Dataset, rows: np.ndarray) -> Labelled:
    return Labelled(
        dataset.features.iloc[rows].reset_index(drop=True),
        dataset.labelled.iloc[rows].reset_index(drop=True),
        None if dataset.sensitive is None else dataset.sensitive.iloc[rows].reset_index(drop=True),
    )


def reserved_for_gate(keys: pd.Series, share: float) -> np.ndarray:
    """Return which logged customers are reserved for the gate: no model is ever trained on them.

    A hash of the id decides, so a customer is always on the same side, and no state is needed.

    Parameters
    ----------
    keys : pandas.Series of str, shape (n,)
        Customer id, or prediction id where there is none.
    share : float
        Share to keep, in (0, 1).

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Examples
    --------
    >>> reserved_for_gate(pd.Series(["a", "b", "c", "a"]), 0.5).tolist()
    [True, True, False, True]
    """
    buckets = [int.from_bytes(hashlib.sha256(f"gate:{key}".encode()).digest()[:8], "big") for key in keys]
    return np.array([bucket < share * 2**64 for bucket in buckets], dtype=bool)
