"""Bounds for very many customers: how many a search is scored on, how many are fitted and how often, how many predicted at once.

A training of a million customers is to fit into the memory and the minutes of a small machine. What more customers add to so few
weights is less than can be measured: docs/adr/0030-the-sum-of-a-boosting-is-one-more-term.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.pipeline import Pipeline

Floats = NDArray[np.float64]
# Rows that a search is scored on, and rows that one pipeline is fitted on: a random sample of more. See `rows_within`.
MAX_SEARCHED, MAX_FITTED = 100_000, 200_000
# With more columns the rows are fewer, as what counts is cells.
MAX_COLUMNS = 40
# Fewest rows of each class in a sample, where there are so many: rare leavers are what a model learns most from.
MIN_CLASS = 1_000
# Rows that are predicted at a time: a pipeline holds several matrices of their terms.
BLOCK = 65_536


def rows_within(max_rows: int, columns: int) -> int:
    """Return how many rows of so many columns hold no more cells than `max_rows` of `MAX_COLUMNS` columns; at most `max_rows`.

    Parameters
    ----------
    max_rows, columns : int

    Returns
    -------
    int

    Examples
    --------
    >>> [rows_within(100_000, columns) for columns in (20, 40, 80, 200)]
    [100000, 100000, 50000, 20000]
    """
    return max_rows * MAX_COLUMNS // max(columns, MAX_COLUMNS)


def draw_rows(rows: NDArray[np.int64], max_rows: int, outcome: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Draw a random sample of rows; all, if there are no more than wanted.

    Where chance would leave fewer than `MIN_CLASS` of a class, so many of it are drawn (all, if there are no more), and the rest
    from the other one: a sample of very many customers of whom hardly anybody leaves has both classes, too. Its churn rate is
    then not theirs: `restore_churn_rate`.

    Parameters
    ----------
    rows : array of int, shape (n,)
        Places in `outcome`.
    max_rows : int
        At least 2.
    outcome : array of 0 and 1
        Of these rows and of others.
    seed : int

    Returns
    -------
    numpy.ndarray of int64, shape (min(n, max_rows),)
        In the order in which they were.

    Examples
    --------
    >>> outcome = (np.arange(1_000) == 7).astype(int)
    >>> 7 in draw_rows(np.arange(1_000), 4, outcome, seed=1), draw_rows(np.arange(2), 4, outcome, seed=1).tolist()
    (True, [0, 1])
    """
    if len(rows) <= max_rows:
        return rows
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(rows), max_rows, replace=False)
    rarer = outcome[rows] == 1
    if 2 * rarer.sum() > len(rows):
        rarer = ~rarer
    wanted = min(MIN_CLASS, int(rarer.sum()), max_rows // 2)
    if rarer[chosen].sum() < wanted:
        chosen = np.concatenate(
            [rng.choice(np.flatnonzero(of), size, replace=False) for of, size in ((rarer, wanted), (~rarer, max_rows - wanted))]
        )
    return rows[np.sort(chosen)]


def count_folds(outcome: NDArray[np.int64], folds: int, columns: int = 0) -> int:
    """Return in how many folds customers are predicted out of fold.

    A model learns from at most `MAX_FITTED` rows, of many columns fewer (`rows_within`). So with more customers fewer folds do,
    as long as each fold's model has as many rows to draw from, and as many of the rarer class, as the one that learns from all.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    folds : int
        With few customers; at least 2.
    columns : int
        How many a model reads.

    Returns
    -------
    int
        From 2 to `folds`.

    Examples
    --------
    >>> [count_folds(np.arange(rows) % 2, 5) for rows in (200_000, 250_000, 300_000, 400_000)]
    [5, 5, 3, 2]
    """
    churned, max_fitted = int(outcome.sum()), rows_within(MAX_FITTED, columns)
    rarer = min(churned, len(outcome) - churned)
    for fewer in range(2, folds):
        learned = 1 - 1 / fewer
        if learned * len(outcome) >= max_fitted and learned * rarer >= MIN_CLASS:
            return fewer
    return folds


def restore_churn_rate(pipeline: Pipeline, drawn: NDArray[np.int64], every: NDArray[np.int64]) -> Pipeline:
    """Shift the log-odds of a pipeline that was fitted on a sample to the churn rate of all.

    Drawing by class moves the intercept of a logistic regression and nothing else (prior correction; King and Zeng, Logistic
    Regression in Rare Events Data, Political Analysis 9(2), 2001, doi:10.1093/oxfordjournals.pan.a004868).

    Parameters
    ----------
    pipeline : Pipeline
        Fitted on the sample; its last step has an `intercept_`, which is changed.
    drawn, every : array of 0 and 1
        The outcomes of the sample, and of all that it was drawn from; both classes must occur. If it is all of them, nothing is
        changed.

    Returns
    -------
    Pipeline
        The same object.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> alike, drawn = np.zeros((4, 1)), np.array([1, 1, 0, 0])
    >>> half = Pipeline([("logreg", LogisticRegression())]).fit(alike, drawn)
    >>> every = np.repeat([1, 0], [1, 9])
    >>> restore_churn_rate(half, drawn, every).predict_proba(alike)[0, 1].round(6)
    np.float64(0.1)
    """
    if len(drawn) < len(every):
        pipeline[-1].intercept_ = pipeline[-1].intercept_ + logit(every.mean()) - logit(drawn.mean())
    return pipeline


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
    block = rows_within(BLOCK, x.shape[1])
    if len(x) <= block:
        return np.asarray(pipeline.predict_proba(x)[:, 1], dtype=np.float64)
    found = np.empty(len(x))
    for start in range(0, len(x), block):
        found[start : start + block] = pipeline.predict_proba(x.iloc[start : start + block])[:, 1]
    return found
