"""How good a model's probabilities are: the `Scorecard`, and the threshold that turns them into answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, precision_recall_curve, roc_auc_score

from churn.params import ThresholdParams


@dataclass(frozen=True)
class Scorecard:
    """Quality of n labelled predictions. Ranking, probabilities, and the answers at one threshold.

    Every value is in [0, 1], except `log_loss` (nats, >= 0) and the counts.
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

    def metrics(self, prefix: str = "") -> dict[str, float]:
        """Give all values by name, for a tracker."""
        return {f"{prefix}{name}": float(value) for name, value in asdict(self).items()}


def evaluate(outcome: np.ndarray, probability: np.ndarray, threshold: float) -> Scorecard:
    """Score probabilities against what came true.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
        Both classes must occur for `roc_auc` and `pr_auc` to be numbers; else they are NaN.
    probability : array of float, shape (n,)
        In [0, 1].
    threshold : float
        At or above it the answer is churn.

    Examples
    --------
    >>> card = evaluate(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.7, 0.9]), 0.5)
    >>> card.roc_auc, card.recall, card.false_positives
    (1.0, 1.0, 1)
    """
    y = np.asarray(outcome, dtype=np.int64)
    p = np.asarray(probability, dtype=np.float64)
    answer = p >= threshold
    tp, fp = int((answer & (y == 1)).sum()), int((answer & (y == 0)).sum())
    fn, tn = int((~answer & (y == 1)).sum()), int((~answer & (y == 0)).sum())
    both = 0 < y.sum() < len(y)
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
    )


def expected_calibration_error(outcome: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean distance between probability and churn rate over bins of equal size (Naeini et al., AAAI 2015).

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    bins : int
        Bins of equal population; equal width leaves most of them empty when churn is rare.

    Returns
    -------
    float
        In [0, 1].
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(float(np.mean(outcome[part]) - np.mean(probability[part]))) * len(part) for part in parts]
    return float(sum(gaps) / len(order))


def choose_threshold(outcome: np.ndarray, probability: np.ndarray, params: ThresholdParams) -> float:
    """Choose the threshold on out-of-fold probabilities: the one with the highest F1, or a fixed one.

    Returns
    -------
    float
        In (0, 1).
    """
    if params.method == "fixed":
        return params.value
    precision, recall, thresholds = precision_recall_curve(outcome, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[int(np.argmax(f1[:-1]))])
