"""Clusters of contributions by k-means, as many as bootstrap samples agree on.

The rule: of 2 to `MAX_SEGMENTS` clusters, the largest number for which clusterings of bootstrap samples agree with that of all
customers, by a mean adjusted Rand index of at least `MIN_STABILITY`, and of which none is smaller than `MIN_CUSTOMERS`
(C. Hennig, Cluster-wise assessment of cluster stability, Computational Statistics & Data Analysis 52, 2007;
L. Hubert and P. Arabie, Comparing partitions, Journal of Classification 2, 1985).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

Floats = NDArray[np.float64]
# More groups than one hand has fingers, and one for everybody else, nobody keeps apart.
MAX_SEGMENTS = 6
MIN_STABILITY = 0.9
MIN_CUSTOMERS = 20
RESAMPLES = 12
STARTS = 8
# Contributions that differ by less are equal.
DIGITS = 6


@dataclass(frozen=True)
class Clusters:
    """Centres of clusters.

    Attributes
    ----------
    centres : array of float, shape (n_clusters, n_columns)
        The one with the highest sum, which is the highest risk, first.
    stability : float
        Mean adjusted Rand index between bootstrap samples, at most 1.
    """

    centres: Floats
    stability: float


def stable_clusters(contributions: Floats, seed: int) -> Iterator[Clusters]:
    """Yield clusterings that keep the rule, the largest number of clusters first; none, if customers fall into no clusters.

    Parameters
    ----------
    contributions : array of float, shape (n, n_columns)
        In an order that does not depend on how the customers came: k-means depends on it.
    seed : int

    Yields
    ------
    Clusters
    """
    from threadpoolctl import threadpool_limits

    points = contributions.round(DIGITS)
    kinds = len(np.unique(points, axis=0))
    # One thread: several add up in an order of their own each time.
    with threadpool_limits(limits=1):
        for count in range(min(MAX_SEGMENTS, kinds, len(points) // MIN_CUSTOMERS), 1, -1):
            fitted = _fit(points, count, seed, STARTS)
            own = fitted.predict(points)
            if np.bincount(own, minlength=count).min() < MIN_CUSTOMERS:
                continue
            stability = _stability(points, own, count, seed)
            if stability >= MIN_STABILITY:
                yield Clusters(_ordered(fitted.cluster_centers_), stability)


def _stability(points: Floats, own: NDArray[np.int32], count: int, seed: int) -> float:
    """Return the mean agreement of all samples; of fewer, once even full agreement of the others could not make it enough."""
    from sklearn.metrics import adjusted_rand_score

    draws = np.random.default_rng([seed, count])
    found = []
    for left in reversed(range(RESAMPLES)):
        drawn = points[draws.integers(0, len(points), len(points))]
        other = _fit(drawn, count, int(draws.integers(2**31)), STARTS).predict(points)
        found.append(float(adjusted_rand_score(own, other)))
        if sum(found) + left < RESAMPLES * MIN_STABILITY - 1e-9:
            break
    return float(np.mean(found))


def _fit(points: Floats, count: int, seed: int, starts: int) -> KMeans:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # A bootstrap sample may hold fewer kinds of customers than there are clusters: then it disagrees, which is counted.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(count, n_init=starts, random_state=seed).fit(points)


def _ordered(centres: Floats) -> Floats:
    centres = centres.round(DIGITS) + 0.0  # no minus zero
    order = sorted(range(len(centres)), key=lambda at: (-centres[at].sum(), *centres[at]))
    return centres[order]
