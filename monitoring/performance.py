"""Concept drift: is the model worse on what came true than it was on its reference?

Two questions are put to the labelled rows. Both are sums of weighted residuals, Σ w (y - p), whose null distribution is known
from the model's own probabilities:

- *calibration in the large*, w = 1: do as many customers leave as the model says, no more and no fewer (two-sided);
- *excess log loss*, w = -logit p: the mean log loss minus the entropy of p, which is the log loss that the model itself
  expects of these customers (one-sided: larger is worse). Since loss - entropy = -(y - p) logit p, this is Cox's test of the
  calibration slope (Cox 1958, Biometrika 45:562; for the Brier score Spiegelhalter 1986, Statistics in Medicine 5:421).

The plain mean log loss is not compared with that of the reference: customers who are harder to tell apart raise it although
nothing is wrong with the model. Entropy moves along with them, so the excess stays where it was. Both sums are blind to
covariate shift as far as the model is calibrated among the customers that arrive; where it is not, it is in fact wrong there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from churn.config.params import ProfitParams
from churn.evaluation.intervals import metric_intervals, resampled_metrics
from churn.evaluation.profit import profits

# A probability of exactly 0 or 1 has no finite log loss; a logistic regression gives neither.
SMALLEST = 1e-6
RESAMPLES, SEED = 200, 20_260_101
Z_95 = 1.959964
MEASURED = {
    "roc_auc": "roc_auc",
    "pr_auc": "pr_auc",
    "brier": "brier",
    "log_loss": "log_loss",
    "calibration_in_the_large": "calibration_gap",
}
# Of more rows a sample is resampled, and its intervals are narrowed by the square root of the ratio (m out of n bootstrap).
MOST_RESAMPLED = 5_000


@dataclass(frozen=True, slots=True)
class Performance:
    """How good the probabilities were, on labelled rows. What cannot be told is None: all without rows, the areas with one class.

    Attributes
    ----------
    churn_rate, mean_probability : float or None
        Share that left, and share that the model expected.
    calibration_in_the_large : float or None
        churn_rate - mean_probability; above 0 more customers left than expected.
    roc_auc, pr_auc, brier, log_loss : float or None
        Log loss in nats; PR AUC as average precision.
    profit : float or None
        Of a campaign that contacts who is at or above the threshold, expected and per customer, in its currency; None where
        there are no terms of one.
    intervals : dict of (float, float)
        95 % intervals by measure (bootstrap of the rows); none where one class is missing.
    """

    rows: int
    churn_rate: float | None = None
    mean_probability: float | None = None
    calibration_in_the_large: float | None = None
    roc_auc: float | None = None
    pr_auc: float | None = None
    brier: float | None = None
    log_loss: float | None = None
    profit: float | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


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
    """Both questions; each has half of alpha (Bonferroni)."""

    alpha: float
    rows: int
    reference_rows: int
    tests: tuple[ConceptTest, ...]

    @property
    def alarm(self) -> bool:
        """Whether the model is worse than it was."""
        return any(test.violated for test in self.tests)

    def as_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return asdict(self) | {"alarm": self.alarm}


def measure_performance(
    labelled: pd.DataFrame, *, intervals: bool = True, threshold: float | None = None, campaign: ProfitParams | None = None
) -> Performance:
    """Measure the probabilities of labelled rows against what came true.

    Parameters
    ----------
    labelled : pandas.DataFrame
        Columns churn_probability (0 to 1) and churned (0 or 1), none missing.
    intervals : bool
        Whether to say how well each measure is known; it takes resampling.
    threshold : float, optional
        Who is at or above it is contacted; together with `campaign`, for the profit.
    campaign : ProfitParams, optional

    Examples
    --------
    >>> rows = pd.DataFrame({"churn_probability": [0.1, 0.4, 0.8], "churned": [0.0, 0.0, 1.0]})
    >>> performance = measure_performance(rows)
    >>> performance.roc_auc, round(performance.brier, 3)
    (1.0, 0.07)
    """
    y, p = _sides(labelled)
    if y.size == 0:
        return Performance(rows=0)
    both = 0 < y.sum() < y.size
    known = _intervals(y, p) if both and intervals else {}
    profit = None
    if threshold is not None and campaign is not None:
        won = profits(y, p, threshold, campaign)
        profit, error = float(won.mean()), float(won.std() / math.sqrt(won.size))
        known |= {"profit": (profit - Z_95 * error, profit + Z_95 * error)} if intervals else {}
    return Performance(
        rows=int(y.size),
        churn_rate=float(y.mean()),
        mean_probability=float(p.mean()),
        calibration_in_the_large=float(y.mean() - p.mean()),
        roc_auc=float(roc_auc_score(y, p)) if both else None,
        pr_auc=float(average_precision_score(y, p)) if both else None,
        brier=float(((y - p) ** 2).mean()),
        log_loss=float(-np.where(y == 1, np.log(p), np.log1p(-p)).mean()),
        profit=profit,
        intervals=known,
    )


def _intervals(y: np.ndarray, p: np.ndarray) -> dict[str, tuple[float, float]]:
    sample = np.arange(y.size)
    if y.size > MOST_RESAMPLED:
        sample = np.random.default_rng(SEED).choice(y.size, MOST_RESAMPLED, replace=False)
    found = metric_intervals(y[sample], p[sample], 0.5, confidence=0.95, resamples=RESAMPLES, seed=SEED)
    known = {name: found[source] for name, source in MEASURED.items() if source in found}
    if sample.size == y.size:
        return known
    once = np.ones((1, sample.size), dtype=np.int64)
    order = sample[np.argsort(p[sample], kind="stable")]
    drawn, every = (resampled_metrics(y[rows], p[rows], 0.5, counts, None) for rows, counts in ((order, once), _all_once(p)))
    narrower = math.sqrt(sample.size / y.size)
    moved = {}
    for name, (low, high) in known.items():
        here, there = drawn[MEASURED[name]].item(), every[MEASURED[name]].item()
        moved[name] = (there - (here - low) * narrower, there + (high - here) * narrower)
    return moved


def _all_once(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.argsort(p, kind="stable"), np.ones((1, p.size), dtype=np.int64)


def detect_concept_drift(reference: pd.DataFrame, labelled: pd.DataFrame, alpha: float) -> ConceptResult:
    """Ask whether the outcomes contradict the model more than those of its reference did.

    The reference's own mean of w (y - p) is the baseline, so that a model that was always a little off does not alarm for
    ever. Its sampling noise counts too: the model learned from those rows, and is off by about as much on any others.
    Where the reference's residuals scatter more than the model says, the variance is scaled up by that factor. P-values
    come from a Pearson III distribution with the exact variance and skewness of the sums (churn is rare, so they are skewed).

    Parameters
    ----------
    reference : pandas.DataFrame
        Columns churn_probability (out-of-fold) and churned. Without rows nothing is asked.
    labelled : pandas.DataFrame
        The window, with the same columns. Without rows nothing is asked.
    alpha : float
        Chance of an alarm if the model is as good as it was.

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
    """Of w (y - p) in one sample: its mean, its mean square, and what the model expects of its 2nd and 3rd central moment."""

    rows: int
    mean: float
    mean_square: float
    expected_square: float
    expected_cube: float


def _moments(rows: pd.DataFrame, weigh: Callable[[np.ndarray], np.ndarray]) -> _Moments:
    y, p = _sides(rows)
    w = weigh(p)
    residual, variance = w * (y - p), p * (1 - p)
    return _Moments(
        rows=y.size,
        mean=float(residual.mean()),
        mean_square=float((residual**2).mean()),
        expected_square=float((w**2 * variance).mean()),
        expected_cube=float((w**3 * variance * (1 - 2 * p)).mean()),
    )


def _contrast(reference: _Moments, window: _Moments) -> _Contrast:
    scatter = max(1.0, reference.mean_square / reference.expected_square) if reference.expected_square > 0 else 1.0
    return _Contrast(
        effect=window.mean - reference.mean,
        variance=scatter * (window.expected_square / window.rows + reference.expected_square / reference.rows),
        third_moment=scatter**1.5 * (window.expected_cube / window.rows**2 - reference.expected_cube / reference.rows**2),
    )


def _test(
    question: Literal["calibration in the large", "excess log loss"], contrast: _Contrast, p_value: float, threshold: float
) -> ConceptTest:
    return ConceptTest(
        question, contrast.effect, contrast.standard_error, contrast.z, p_value, threshold, violated=p_value <= threshold
    )


def _sides(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    y = rows["churned"].to_numpy(dtype=np.float64)
    p = rows["churn_probability"].to_numpy(dtype=np.float64)
    return y, np.clip(p, SMALLEST, 1 - SMALLEST)


def _minus_logit(p: np.ndarray) -> np.ndarray:
    return np.asarray(np.log1p(-p) - np.log(p))
