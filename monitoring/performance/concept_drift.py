"""Test whether outcomes still follow the served probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from monitoring.performance.correlation import intraclass_correlation
from monitoring.performance.metrics import customers_of, outcomes_and_answers


@dataclass(frozen=True, slots=True)
class ConceptTest:
    """One question to the labelled rows.

    Attributes
    ----------
    effect : float
        Window minus reference: of mean(y - p), a share; or of the mean excess log loss, in nats.
    standard_error : float
        Of the effect, if nothing changed. It holds the noise of the window and that of the model's own training rows.
    p_value, threshold : float
        At or below the threshold it violates.
    """

    question: Literal["calibration in the large", "excess log loss"]
    effect: float
    standard_error: float
    z: float
    p_value: float
    threshold: float
    violated: bool


@dataclass(frozen=True, slots=True)
class ConceptResult:
    """The answers to both questions; each has half of alpha (Bonferroni)."""

    alpha: float
    rows: int
    reference_rows: int
    tests: tuple[ConceptTest, ...]

    @property
    def alarm(self) -> bool:
        """Whether the model is worse than it was."""
        return any(test.violated for test in self.tests)


def detect_concept_drift(reference: pd.DataFrame, labelled: pd.DataFrame, alpha: float) -> ConceptResult:
    """Ask whether the outcomes contradict the model more than those of its reference did.

    The reference's own mean of w (y - p) is the baseline, so that a model that was always a little off does not alarm for
    ever. Its sampling noise counts too: the model learned from those rows, and is off by about as much on any others.
    Where the reference's residuals scatter more than the model expects, the variance is scaled up by that factor. Where the
    window holds several outcomes of a customer, so is it by how much these go together (`_clustering`). P-values come from a
    Pearson III distribution with the variance and skewness of the sums (churn is rare, so they are skewed).

    Parameters
    ----------
    reference : pandas.DataFrame
        Columns churn_probability (out-of-fold) and churned. Without rows nothing is asked.
    labelled : pandas.DataFrame
        The window, with the same columns, and customer_id if it is known who is who; a row without one stands for itself.
        Without rows nothing is asked.
    alpha : float
        In (0, 1): chance of an alarm if the model is as good as it was.

    Returns
    -------
    ConceptResult
        Without tests where nothing is asked.

    Examples
    --------
    >>> calm = pd.DataFrame({"churn_probability": [0.25] * 400, "churned": [1.0, 0.0, 0.0, 0.0] * 100})
    >>> worse = pd.DataFrame({"churn_probability": [0.25] * 200, "churned": [1.0, 0.0] * 100})
    >>> detect_concept_drift(calm, calm, 0.01).alarm, detect_concept_drift(calm, worse, 0.01).alarm
    (False, True)
    """
    if reference.empty or labelled.empty:
        return ConceptResult(alpha, len(labelled), len(reference), ())
    threshold = alpha / 2
    large = _contrast(_moments(reference, np.ones_like), _moments(labelled, np.ones_like))
    loss = _contrast(_moments(reference, _minus_logit), _moments(labelled, _minus_logit))
    tests = (
        _test("calibration in the large", large, large.two_sided, threshold),
        _test("excess log loss", loss, loss.upper, threshold),
    )
    return ConceptResult(alpha, len(labelled), len(reference), tests)


@dataclass(frozen=True)
class _Contrast:
    """A mean of weighted residuals in the window, minus that in the reference, and the first moments of that difference."""

    effect: float
    variance: float
    third_moment: float

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.variance)

    @property
    def z(self) -> float:
        return self.effect / self.standard_error if self.variance > 0 else 0.0

    @property
    def _null(self) -> Any:
        return stats.pearson3(self.third_moment / self.variance**1.5 if self.variance > 0 else 0.0)

    @property
    def upper(self) -> float:
        return float(self._null.sf(self.z))

    @property
    def two_sided(self) -> float:
        return float(min(1.0, 2 * min(self._null.sf(self.z), self._null.cdf(self.z))))


@dataclass(frozen=True)
class _Moments:
    """Of w (y - p) in one sample: its mean, its mean square, and what the model expects of its 2nd and 3rd central moment.

    Attributes
    ----------
    clustering_square, clustering_cube : float
        What the moments of the sum are multiplied by because rows of one customer go together; 1 where each is another's.
    """

    rows: int
    mean: float
    mean_square: float
    expected_square: float
    expected_cube: float
    clustering_square: float = 1.0
    clustering_cube: float = 1.0


def _moments(rows: pd.DataFrame, weigh: Callable[[np.ndarray], np.ndarray]) -> _Moments:
    y, p = outcomes_and_answers(rows)
    w = weigh(p)
    residual, variance = w * (y - p), p * (1 - p)
    square, cube = w**2 * variance, w**3 * variance * (1 - 2 * p)
    clustering_square, clustering_cube = 1.0, 1.0
    if (customer := customers_of(rows)) is not None:
        clustering_square, clustering_cube = _clustering(residual, np.sign(w) * np.sqrt(square), np.cbrt(cube), customer)
    return _Moments(
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


def _contrast(reference: _Moments, window: _Moments) -> _Contrast:
    scatter = max(1.0, reference.mean_square / reference.expected_square) if reference.expected_square > 0 else 1.0
    return _Contrast(
        effect=window.mean - reference.mean,
        variance=scatter * (_variance(window) + _variance(reference)),
        third_moment=scatter**1.5 * (_third_moment(window) - _third_moment(reference)),
    )


def _variance(sample: _Moments) -> float:
    return sample.expected_square / sample.rows * sample.clustering_square


def _third_moment(sample: _Moments) -> float:
    return sample.expected_cube / sample.rows**2 * sample.clustering_cube


def _test(
    question: Literal["calibration in the large", "excess log loss"], contrast: _Contrast, p_value: float, threshold: float
) -> ConceptTest:
    return ConceptTest(
        question, contrast.effect, contrast.standard_error, contrast.z, p_value, threshold, violated=p_value <= threshold
    )


def _minus_logit(p: np.ndarray) -> np.ndarray:
    return np.asarray(np.log1p(-p) - np.log(p))
