"""Bounds for very many customers: on how many a search is scored, weights are fitted, and how many are predicted at once.

A training of a million customers is to fit into the memory and the minutes of a small machine. What more customers add to so few
weights is less than can be measured: docs/adr/0030-the-sum-of-a-boosting-is-one-more-term.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

Floats = NDArray[np.float64]
# Rows that a search is scored on, and rows that one pipeline is fitted on: a random sample of more.
MAX_SEARCHED, MAX_FITTED = 100_000, 200_000
# Rows that are predicted at a time: a pipeline holds several matrices of their terms.
BLOCK = 65_536


def draw_rows(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Draw a sample of rows; all, if there are no more than wanted.

    Parameters
    ----------
    rows : array of int, shape (n,)
    most : int
    seed : int

    Returns
    -------
    numpy.ndarray of int64, shape (min(n, most),)
        In the order in which they were.

    Examples
    --------
    >>> draw_rows(np.arange(10, 20), 3, seed=1).tolist(), draw_rows(np.arange(2), 3, seed=1).tolist()
    ([13, 14, 17], [0, 1])
    """
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]


def predict_in_blocks(pipeline: Pipeline, x: pd.DataFrame) -> Floats:
    """Return the probability of churn.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    x : pandas.DataFrame, shape (n, n_features)

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In [0, 1].
    """
    if len(x) <= BLOCK:
        return np.asarray(pipeline.predict_proba(x)[:, 1], dtype=np.float64)
    found = np.empty(len(x))
    for start in range(0, len(x), BLOCK):
        found[start : start + BLOCK] = pipeline.predict_proba(x.iloc[start : start + BLOCK])[:, 1]
    return found
