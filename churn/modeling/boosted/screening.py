"""Of very many inputs, those that rules are grown on: the ones that tell most about the outcome by themselves.

What a tree costs is customers times inputs. Trees are greedy: what tells nothing by itself is hardly ever their first cut.
Lines, hinges and the boosted trees of a sum have all inputs. docs/adr/0035-a-budget-of-cells-for-wide-tables.md has figures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

Floats = NDArray[np.float64]
# Cells (customers times inputs) that rules are grown on; so many inputs they have in any case.
MAX_CELLS, MIN_INPUTS = 1_000_000, 64
# An input is cut at quantiles of a few customers, evenly spaced: where exactly is of no account here.
BINS, QUANTILE_ROWS = 16, 2_000


def count_screened(customers: int) -> int:
    """Return how many inputs rules are grown on at most, with so many customers.

    Parameters
    ----------
    customers : int

    Returns
    -------
    int

    Examples
    --------
    >>> [count_screened(customers) for customers in (2_000, 10_000, 20_000)]
    [500, 100, 64]
    """
    return max(MIN_INPUTS, MAX_CELLS // max(customers, 1))


def screen_inputs(inputs: Floats, outcome: NDArray[Any]) -> NDArray[np.intp]:
    """Return the inputs that rules are grown on: all, unless there are more than `count_screened` says.

    Then those of the highest likelihood ratio between the churn rates of up to `BINS` groups of customers and one rate for all,
    less the number of groups, as chance alone would bring about so much.

    Parameters
    ----------
    inputs : array of float, shape (n, n_inputs)
        Without missing values. Only of customers to learn from: the choice has seen their outcomes.
    outcome : array of 0 and 1, shape (n,)

    Returns
    -------
    numpy.ndarray of int
        Their places, ascending.

    Examples
    --------
    >>> outcome = np.arange(20_000) % 2
    >>> inputs = np.zeros((20_000, 100))
    >>> inputs[:, 99] = outcome
    >>> len(screen_inputs(inputs, outcome)), 99 in screen_inputs(inputs, outcome)
    (64, True)
    """
    most = count_screened(len(inputs))
    if inputs.shape[1] <= most:
        return np.arange(inputs.shape[1])
    left = np.asarray(outcome, dtype=np.float64)
    told = np.array([_told(values, left) for values in inputs.T])
    return np.sort(np.argsort(-told, kind="stable")[:most])


def _told(values: Floats, left: Floats) -> float:
    """Return by how much a group's own churn rate says more than that of all, beyond chance."""
    some = values[:: max(1, len(values) // QUANTILE_ROWS)]
    cuts = np.unique(np.quantile(some, np.arange(1, BINS) / BINS))
    group = np.searchsorted(cuts, values)
    rows, gone = (np.bincount(group, weights=of, minlength=len(cuts) + 1) for of in (None, left))
    share = gone / np.maximum(rows, 1)
    rate = gone.sum() / rows.sum()
    own = xlogy(gone, share) + xlogy(rows - gone, 1 - share)
    common = xlogy(gone, rate) + xlogy(rows - gone, 1 - rate)
    return float(2 * (own - common).sum() - (rows > 0).sum())
