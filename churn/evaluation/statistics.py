"""Confidence bounds of means, by bootstrap and by Student's t, for losses and profits of customers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

# Values that a bootstrap draws at once: more do not fit into a processor's cache, which is slower.
AT_ONCE = 100_000


def bootstrap_mean_interval(sample: ArrayLike, *, confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    Parameters
    ----------
    sample : array of float, shape (n,)
        For a paired comparison: the difference of each pair.
    confidence : float
        Of the two-sided interval, in (0, 1).
    resamples, seed : int

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> low, high = bootstrap_mean_interval(np.ones(50), confidence=0.95, resamples=200, seed=0)
    >>> float(low), float(high)
    (1.0, 1.0)
    """
    values = np.asarray(sample, dtype=np.float64)
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, AT_ONCE // len(values)),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def mean_bounds(sample: np.ndarray, tail: float) -> tuple[float, float]:
    """Return Student's t bounds of a mean.

    Parameters
    ----------
    sample : array of float, shape (n,)
        At least two values.
    tail : float
        Probability, in (0, 0.5), that the mean lies beyond one bound.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> [round(bound, 3) for bound in mean_bounds(np.array([1.0, 2.0, 3.0]), 0.05)]
    [0.314, 3.686]
    """
    reach = float(stats.t.isf(tail, len(sample) - 1)) * float(np.std(sample, ddof=1)) / float(np.sqrt(len(sample)))
    return float(np.mean(sample)) - reach, float(np.mean(sample)) + reach


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
