"""Confidence bounds of means, by bootstrap and by Student's t, for losses and profits of customers.

Rows of one customer are not independent: where customers have several, whole customers are resampled and counted (the cluster
bootstrap, and the linearised variance of a ratio: Cameron and Miller, A Practitioner's Guide to Cluster-Robust Inference, Journal
of Human Resources 50(2), 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Values that a bootstrap draws at once: more do not fit into a processor's cache, which is slower.
AT_ONCE = 100_000
# Of more customers a mean is so near to normal that resamples would say nothing else.
MAX_RESAMPLED = 100_000

Floats = NDArray[np.float64]
Customers = NDArray[np.int64]


def bootstrap_mean_interval(
    sample: ArrayLike, *, confidence: float, resamples: int, seed: int, customer: Customers | None = None
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    Of more than `MAX_RESAMPLED` customers that of Student's t, which for so many is the same.

    Parameters
    ----------
    sample : array of float, shape (n,)
        For a paired comparison: the difference of each pair.
    confidence : float
        Of the two-sided interval, in (0, 1).
    resamples, seed : int
    customer : array of int, shape (n,), optional
        Which values are of the same customer; None if each is of another one.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> low, high = bootstrap_mean_interval(np.ones(50), confidence=0.95, resamples=200, seed=0)
    >>> float(low), float(high)
    (1.0, 1.0)
    """
    from scipy import stats

    values = np.asarray(sample, dtype=np.float64)
    data: tuple[Floats, ...] = (values,) if customer is None else _by_customer(values, customer)
    if len(data[0]) > MAX_RESAMPLED:
        return mean_bounds(values, (1 - confidence) / 2, customer)
    interval = stats.bootstrap(
        data,
        np.mean if customer is None else _mean_of_rows,
        paired=customer is not None,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, AT_ONCE // len(data[0])),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def mean_bounds(sample: np.ndarray, tail: float, customer: Customers | None = None) -> tuple[float, float]:
    """Return Student's t bounds of a mean.

    Parameters
    ----------
    sample : array of float, shape (n,)
        At least two values.
    tail : float
        Probability, in (0, 0.5), that the mean lies beyond one bound.
    customer : array of int, shape (n,), optional
        Which values are of the same customer, at least two customers; None if each is of another one.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> [round(bound, 3) for bound in mean_bounds(np.array([1.0, 2.0, 3.0]), 0.05)]
    [0.314, 3.686]
    """
    from scipy import stats

    mean = float(np.mean(sample))
    if customer is None:
        reach = float(stats.t.isf(tail, len(sample) - 1)) * float(np.std(sample, ddof=1)) / float(np.sqrt(len(sample)))
        return mean - reach, mean + reach
    sums, rows = _by_customer(np.asarray(sample, dtype=np.float64), customer)
    customers = len(sums)
    squares = float(np.sum((sums - mean * rows) ** 2)) * customers / (customers - 1)
    reach = float(stats.t.isf(tail, customers - 1)) * float(np.sqrt(squares)) / len(sample)
    return mean - reach, mean + reach


def cluster_sums(values: np.ndarray, customer: Customers) -> Floats:
    """Return the sum of each customer's values.

    Parameters
    ----------
    values : array of float, shape (n,)
    customer : array of int, shape (n,)
        Which values are of the same customer.

    Returns
    -------
    numpy.ndarray of float64, shape (n_customers,)
    """
    return _by_customer(np.asarray(values, dtype=np.float64), customer)[0]


def _by_customer(values: Floats, customer: Customers) -> tuple[Floats, Floats]:
    """Return each customer's sum of values, and number of them."""
    _, places = np.unique(customer, return_inverse=True)
    return np.bincount(places, weights=values).astype(np.float64), np.bincount(places).astype(np.float64)


def _mean_of_rows(sums: Floats, rows: Floats, axis: int = -1) -> Floats:
    return np.asarray(sums.sum(axis=axis) / rows.sum(axis=axis))


def log_losses(outcome: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Return each customer's log loss.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
        Clipped to [1e-15, 1 - 1e-15].

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In nats.
    """
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.where(outcome == 1, np.log(p), np.log1p(-p)))
