"""Means with bounds: bootstrap and exact, for losses and profits of customers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

# Values drawn at once in a bootstrap: more does not fit into a processor's cache, and is slower.
AT_ONCE = 100_000


def bootstrap_mean_interval(sample: ArrayLike, *, confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    Parameters
    ----------
    sample : array of float, shape (n,)
        For a paired comparison: the difference of each pair.
    confidence : float
        Of the two-sided interval, in (0, 1).
    resamples, seed : int

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
    """Student's t bounds of a mean, each one wrong with probability `tail`; the sample has at least two values.

    Examples
    --------
    >>> [round(bound, 3) for bound in mean_bounds(np.array([1.0, 2.0, 3.0]), 0.05)]
    [0.314, 3.686]
    """
    reach = float(stats.t.isf(tail, len(sample) - 1)) * float(np.std(sample, ddof=1)) / float(np.sqrt(len(sample)))
    return float(np.mean(sample)) - reach, float(np.mean(sample)) + reach


def log_losses(outcome: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Give each customer's log loss in nats, shape (n,); probabilities are kept 1e-15 away from 0 and 1."""
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.where(outcome == 1, np.log(p), np.log1p(-p)))
