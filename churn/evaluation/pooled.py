"""Bootstrap resamples of very many rows: rows whose probabilities are next to each other are drawn as one.

A resample of n rows is a count for each row. What is wanted of it are sums over rows in the order of their probabilities, so the
rows of one outcome in a narrow bin of probabilities need one count: together these counts are multinomial. That costs as many
draws as there are cells, however many rows there are. What is lost is where in its bin a row stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
# Of equal population, at most; those at the ends are as narrow in rows, not in probability.
BINS = 500
# Counts held in memory at once: resamples x cells.
CELLS = 1_000_000


class Pooled(NamedTuple):
    """Rows of one outcome in one bin, as one.

    Attributes
    ----------
    outcome : array of int64, shape (n_cells,)
    probability : array of float64, shape (n_cells,)
        The mean of the bin, for both outcomes; ascending.
    rows : array of int64, shape (n_cells,)
        How many there are.
    """

    outcome: Counts
    probability: Floats
    rows: Counts


def pool(outcome: Counts, probability: Floats, threshold: float) -> Pooled:
    """Pool rows. Equal probabilities are in one bin, and so are none of which one is below the threshold and the other is not.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float, shape (n,)
        Ascending.
    threshold : float

    Returns
    -------
    Pooled

    Examples
    --------
    >>> pool(np.array([0, 1, 1]), np.array([0.1, 0.2, 0.2]), 0.5).rows.tolist()
    [1, 2]
    """
    first = np.flatnonzero(np.diff(probability, prepend=-np.inf))
    group = np.repeat(np.arange(len(first)), np.diff(first, append=len(probability)))
    place = first[group] * BINS // len(probability)
    edges = np.diff(place, prepend=-1).astype(np.bool_) | np.diff(probability >= threshold, prepend=False)
    bin_of = np.cumsum(edges) - 1
    starts, sizes = np.flatnonzero(edges), np.bincount(bin_of)
    # (A mean of equal numbers may differ from them in the last digit.)
    mean = np.clip(np.bincount(bin_of, weights=probability) / sizes, probability[starts], probability[starts + sizes - 1])
    rows = np.bincount(2 * bin_of + outcome, minlength=2 * len(starts))
    some = np.flatnonzero(rows)
    return Pooled(some % 2, mean[some // 2], rows[some])


def draw_pooled(rows: Counts, resamples: int, seed: int) -> Iterator[Counts]:
    """Draw how many rows of each cell are in a resample of as many rows as there are.

    Parameters
    ----------
    rows : array of int, shape (n_cells,)
    resamples, seed : int

    Yields
    ------
    numpy.ndarray of int, shape (some of the resamples, n_cells)
    """
    rng = np.random.default_rng(seed)
    size = max(1, CELLS // len(rows))
    for start in range(0, resamples, size):
        yield rng.multinomial(rows.sum(), rows / rows.sum(), min(size, resamples - start))
