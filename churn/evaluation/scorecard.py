"""Metrics of a model's probabilities: the `Scorecard`. `churn.evaluation.report` adds intervals, slices and curves."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from churn.config.params import ProfitParams
from churn.evaluation.profit import empc, profits
from churn.evaluation.ranking import rank


@dataclass(frozen=True)
class Scorecard:
    """Quality of n labelled predictions: of their ranking, of the probabilities, and of the decisions at one threshold.

    Every value is in [0, 1], except `log_loss` (nats, >= 0), `top_decile_lift` (times the churn rate, in [0, 10]),
    `calibration_gap` (in [-1, 1]), `profit` and `empc` (money per customer) and the counts.

    Attributes
    ----------
    pr_auc : float
        Average precision.
    brier : float
        Mean squared error of the probabilities (Brier, Monthly Weather Review 78(1), 1950).
    ece : float
        See `expected_calibration_error`.
    calibration_gap : float
        Churn rate minus mean probability (calibration in the large): above 0 the model underestimates.
    selection_rate : float
        Share of customers predicted to churn.
    top_decile_gain, top_decile_lift : float
        Of the decile with the highest scores: its share of all churners, and its churn rate over that of all.
    profit : float or None
        Expected profit of contacting those predicted to churn, in `ProfitParams.currency` per customer of the base; None if no
        `ProfitParams` were given.
    empc : float or None
        Expected maximum profit, in the same unit, see `churn.evaluation.profit.empc`.
    """

    rows: int
    churn_rate: float
    roc_auc: float
    pr_auc: float
    brier: float
    log_loss: float
    ece: float
    threshold: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    calibration_gap: float
    selection_rate: float
    top_decile_gain: float
    top_decile_lift: float
    profit: float | None = None
    empc: float | None = None

    def metrics(self, prefix: str = "") -> dict[str, float]:
        """Return all known values by name, for a tracker: neither None nor NaN, which trackers and JSON refuse."""
        return {f"{prefix}{name}": float(value) for name, value in self.report().items() if value is not None}

    def report(self) -> dict[str, float | int | None]:
        """Return all values by name, ready for JSON: what is not known is None."""
        return {name: None if value is None or math.isnan(value) else value for name, value in asdict(self).items()}


def evaluate(outcome: np.ndarray, probability: np.ndarray, threshold: float, *, profit: ProfitParams | None = None) -> Scorecard:
    """Score probabilities against outcomes.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
        Both classes must occur for `roc_auc` and `pr_auc` to be numbers, and somebody must churn for gain and lift; else
        they are NaN.
    probability : array of float, shape (n,)
        In [0, 1].
    threshold : float
        At or above it the prediction is churn.
    profit : ProfitParams, optional
        If given, `profit` and `empc` are computed.

    Returns
    -------
    Scorecard

    Examples
    --------
    >>> card = evaluate(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.7, 0.9]), 0.5)
    >>> card.roc_auc, card.recall, card.false_positives
    (1.0, 1.0, 1)
    """
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    y = np.asarray(outcome, dtype=np.int64)
    p = np.asarray(probability, dtype=np.float64)
    answer = p >= threshold
    tp, fp = int((answer & (y == 1)).sum()), int((answer & (y == 0)).sum())
    fn, tn = int((~answer & (y == 1)).sum()), int((~answer & (y == 0)).sum())
    both = 0 < y.sum() < len(y)
    gain = float(rank(y, p).gain(0.1))
    return Scorecard(
        rows=len(y),
        churn_rate=float(y.mean()),
        roc_auc=float(roc_auc_score(y, p)) if both else float("nan"),
        pr_auc=float(average_precision_score(y, p)) if both else float("nan"),
        brier=float(brier_score_loss(y, p, pos_label=1)),
        log_loss=float(log_loss(y, p, labels=[0, 1])),
        ece=expected_calibration_error(y, p),
        threshold=float(threshold),
        accuracy=(tp + tn) / len(y),
        precision=tp / (tp + fp) if tp + fp else 0.0,
        recall=tp / (tp + fn) if tp + fn else 0.0,
        f1=2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0,
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=tn,
        calibration_gap=float(np.mean(y - p)),
        selection_rate=(tp + fp) / len(y),
        top_decile_gain=gain,
        top_decile_lift=gain / 0.1,
        profit=float(profits(y, p, threshold, profit).mean()) if profit else None,
        empc=empc(y, p, profit)[0] if profit else None,
    )


def expected_calibration_error(outcome: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error: mean distance between probability and churn rate over bins of equal population.

    Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    bins : int
        Number of bins, see `equal_bins`; bins of equal width would mostly be empty when churn is rare.

    Returns
    -------
    float
        In [0, 1].
    """
    gaps = np.bincount(equal_bins(probability, bins), weights=np.asarray(outcome) - probability)
    return float(np.abs(gaps).sum() / len(probability))


def equal_bins(probability: np.ndarray, bins: int) -> np.ndarray:
    """Assign customers to bins of equal population by ascending probability; equal scores can make a bin larger, or empty.

    Customers of equal score are in one bin, that of their middle: to split them would be to sort by row number.

    Parameters
    ----------
    probability : array of float in [0, 1], shape (n,)
    bins : int

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        The bin of each, from 0 to bins - 1.

    Examples
    --------
    >>> equal_bins(np.array([0.1, 0.2, 0.2, 0.2, 0.7, 0.9]), 3).tolist()
    [0, 1, 1, 1, 2, 2]
    """
    _, group, size = np.unique(probability, return_inverse=True, return_counts=True)
    twice_the_middle = 2 * np.cumsum(size) - size
    return np.asarray((twice_the_middle * bins // (2 * len(probability)))[group])
