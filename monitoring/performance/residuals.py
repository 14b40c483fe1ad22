"""Weighted residuals of outcomes, w (y - p), summed up: their mean, and how far it lies from another's beyond chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from monitoring.performance.correlation import intraclass_correlation
from monitoring.performance.metrics import customers_of, outcomes_and_answers
from monitoring.performance.score_selection import shares_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Contrast:
    """A mean of weighted residuals in the window, minus that in the reference, and the first moments of that difference."""

    effect: float
    variance: float
    third_moment: float

    @property
    def standard_error(self) -> float:
        """Of the effect, if nothing changed."""
        return math.sqrt(self.variance)

    @property
    def z(self) -> float:
        """The effect in standard errors; 0 where nothing can vary."""
        return self.effect / self.standard_error if self.variance > 0 else 0.0

    @property
    def _skewness(self) -> float:
        return self.third_moment / self.variance**1.5 if self.variance > 0 else 0.0

    @property
    def upper(self) -> float:
        """The probability of so large an effect if nothing changed."""
        from scipy import stats

        return float(stats.pearson3.sf(self.z, self._skewness))

    @property
    def two_sided(self) -> float:
        """The probability of an effect so far from nothing, on either side, if nothing changed."""
        from scipy import stats

        # Not frozen first: SciPy writes a docstring for each frozen distribution, which takes a millisecond.
        sides = (stats.pearson3.sf(self.z, self._skewness), stats.pearson3.cdf(self.z, self._skewness))
        return float(min(1.0, 2 * min(sides)))


@dataclass(frozen=True, slots=True)
class Moments:
    """Of w (y - p) in one sample: its mean, its mean square, and what the model expects of its 2nd and 3rd central moment.

    Attributes
    ----------
    clustering_square, clustering_cube : float
        What the moments of the sum are multiplied by because rows of one customer go together; 1 where each is another's.
    least_scatter : float
        By what the expected moments are multiplied at least; more than 1 where larger samples scatter more than expected.
    """

    rows: int
    mean: float
    mean_square: float
    expected_square: float
    expected_cube: float
    clustering_square: float = 1.0
    clustering_cube: float = 1.0
    least_scatter: float = 1.0

    @property
    def scatter(self) -> float:
        """How many times the expected mean square the residuals have, and at least `least_scatter`."""
        return max(self.least_scatter, self.mean_square / self.expected_square) if self.expected_square > 0 else 1.0

    def at_least(self, scatter: float) -> Moments:
        """Return the same moments of a sample that is known to scatter so much at least."""
        return replace(self, least_scatter=scatter)


def moments_of(rows: pd.DataFrame, weigh: Callable[[np.ndarray], np.ndarray]) -> Moments:
    """Sum up the weighted residuals of labelled rows.

    Parameters
    ----------
    rows : pandas.DataFrame
        Columns churn_probability and churned, at least one row; customer_id if it is known who is who; and share where each
        counts for the share of its like that the other sample has (`monitoring.performance.score_selection`).
    weigh : function
        Gives the weight of each probability: `np.ones_like`, or `minus_logit`.

    Returns
    -------
    Moments
    """
    y, p = outcomes_and_answers(rows)
    w, share = weigh(p), shares_of(rows)
    if share is not None:
        w = w * share / share.mean()
    residual, variance = w * (y - p), p * (1 - p)
    square, cube = w**2 * variance, w**3 * variance * (1 - 2 * p)
    clustering_square, clustering_cube = 1.0, 1.0
    if (customer := customers_of(rows)) is not None:
        clustering_square, clustering_cube = _clustering(residual, np.sign(w) * np.sqrt(square), np.cbrt(cube), customer)
    return Moments(
        rows=y.size,
        mean=float(residual.mean()),
        mean_square=float((residual**2).mean()),
        expected_square=float(square.mean()),
        expected_cube=float(cube.mean()),
        clustering_square=clustering_square,
        clustering_cube=clustering_cube,
    )


def _clustering(residual: np.ndarray, deviation: np.ndarray, skew: np.ndarray, customer: np.ndarray) -> tuple[float, float]:
    """Return what the second and third moment of a sum are multiplied by, given which rows are of one customer.

    Between rows that are independent and rows that all say the same lies one correlation of residuals.
    """

    def of_each(values: np.ndarray) -> np.ndarray:
        return np.bincount(customer, weights=values)

    together = float((of_each(deviation) ** 2).sum())
    correlation = intraclass_correlation(residual, deviation, customer)
    square, cube = float((deviation**2).sum()), float((skew**3).sum())
    return (
        1 + correlation * (together / square - 1) if square > 0 else 1.0,
        1 + correlation * (float((of_each(skew) ** 3).sum()) / cube - 1) if cube != 0 else 1.0,
    )


def contrast(reference: Moments, window: Moments, *, pooled: bool = False) -> Contrast:
    """Return by how much a window's mean residual is above the reference's, and how much of that is chance.

    Where residuals scatter more than the model expects, so do those of the window. A large reference shows how much. One of few
    rows hardly does where the model is off: what is rare and weighs much, as a customer who leaves and was sure to stay, may be
    missing from it by chance, and then looks like a change when it comes. So a part of a reference scatters at least as all of it
    does (`Moments.least_scatter`). Where there is no whole that the model learned from, `pooled` asks both sides, which scatter
    alike if nothing changed, at the price that a change hides itself a little.

    Parameters
    ----------
    reference, window : Moments
        By the same weights.
    pooled : bool
        Whether the scatter is that of both, as it must be for a small reference.

    Returns
    -------
    Contrast
    """
    sides = (reference, window) if pooled else (reference,)
    expected = sum(side.rows * side.expected_square for side in sides)
    found = sum(side.rows * side.mean_square for side in sides)
    scatter = max(reference.least_scatter, found / expected) if expected > 0 else 1.0
    return Contrast(
        effect=window.mean - reference.mean,
        variance=scatter * (_variance(window) + _variance(reference)),
        third_moment=scatter**1.5 * (_third_moment(window) - _third_moment(reference)),
    )


def _variance(sample: Moments) -> float:
    return sample.expected_square / sample.rows * sample.clustering_square


def _third_moment(sample: Moments) -> float:
    return sample.expected_cube / sample.rows**2 * sample.clustering_cube


def minus_logit(p: np.ndarray) -> np.ndarray:
    """Weigh residuals so that their mean is the excess log loss."""
    return np.asarray(np.log1p(-p) - np.log(p))
