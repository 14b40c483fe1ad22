"""Whether scores over folds differ beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
# Words for a scoring of params.yaml, and whether it is a loss: scikit-learn negates those.
NAMES = {
    "neg_log_loss": ("log loss", True),
    "neg_brier_score": ("Brier score", True),
    "roc_auc": ("ROC AUC", False),
    "average_precision": ("average precision", False),
}


@dataclass(frozen=True)
class Gain:
    """By how much a score is better than another over the same folds, positive if better, with its interval."""

    mean: float
    low: float
    high: float

    @property
    def beyond_chance(self) -> bool:
        """Return whether it is better, and not by chance."""
        return self.low > 0


def gain_over_folds(worse: np.ndarray, better: np.ndarray) -> Gain:
    """Compare scores over the same folds.

    Folds share customers, so their scores are not independent: the variance is that of Nadeau and Bengio (Inference for the
    Generalization Error, Machine Learning 52, 2003), which counts them less.

    Parameters
    ----------
    worse, better : array of float, shape (n_folds,)
        As scikit-learn scores: more is better. At least two folds.

    Returns
    -------
    Gain
        Mean of better minus worse, and the t interval at 95 %.

    Examples
    --------
    >>> gain_over_folds(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])).low
    1.0
    """
    gains = np.asarray(better, dtype=np.float64) - np.asarray(worse, dtype=np.float64)
    folds = len(gains)
    spread = float(np.std(gains, ddof=1)) * float(np.sqrt(1 / folds + 1 / (folds - 1)))
    reach = float(stats.t.isf((1 - CONFIDENCE) / 2, folds - 1)) * spread
    mean = float(np.mean(gains))
    return Gain(mean, mean - reach, mean + reach)
