"""Rows that stand for others: how many there are in effect, and how they are repeated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# The column of a frame that says for how many customers a row stands.
WEIGHT = "weight"


def effective_size(weight: Floats) -> float:
    """Return Kish's effective sample size of weights; those that are 0 or NaN say nothing.

    Examples
    --------
    >>> effective_size(np.array([1.0, 1.0, 0.0, np.nan])), round(effective_size(np.array([1.0, 1.0, 2.0])), 2)
    (2.0, 2.67)
    """
    known = weight[weight > 0]
    return float(known.sum() ** 2 / (known**2).sum()) if len(known) else 0.0


def repeated_size(original: NDArray[np.int64]) -> float:
    """Return Kish's effective sample size of rows of which some repeat others: each outcome weighs as much as it has rows.

    Parameters
    ----------
    original : numpy.ndarray of int64, shape (n,)
        Which outcome a row is of.

    Returns
    -------
    float

    Examples
    --------
    >>> repeated_size(np.array([0, 1, 2, 2, 2, 2])), repeated_size(np.array([4, 7]))
    (2.0, 2.0)
    """
    return effective_size(np.unique(original, return_counts=True)[1].astype(np.float64))


def copies(weight: Floats) -> NDArray[np.int64]:
    """Return how often each outcome is repeated so that all together stand for as many as their weights say.

    Repeated rows of one customer count as one wherever chance is spoken of (docs/adr/0020), so whatever goes by customer is right
    with them. Rounding is systematic: sums over the rows, in their order, are off by less than one.

    Parameters
    ----------
    weight : numpy.ndarray of float64, shape (n,)
        0, or at least 1; NaN counts as 0.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)

    Examples
    --------
    >>> copies(np.array([1.0, 2.5, 2.5, 0.0, 1.0])).tolist()
    [1, 3, 2, 0, 1]
    """
    # A weight such as 10/3 times 3 must be 10.
    total = np.round(np.cumsum(np.nan_to_num(weight)), 6)
    return np.asarray(np.diff(np.floor(total + 0.5), prepend=0.0), dtype=np.int64)
