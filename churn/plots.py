"""Pictures of a model's quality, drawn without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_quality(outcome: np.ndarray, probability: np.ndarray, threshold: float, title: str) -> Figure:
    """Draw ROC, precision-recall, calibration and score distribution of labelled probabilities.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    threshold : float
        Marked in the distribution.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        11 x 8.5 inches; the caller saves it. Not registered with pyplot: nothing to close.
    """
    from matplotlib.figure import Figure
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    figure = Figure(figsize=(11, 8.5), layout="constrained")
    (roc, pr), (calibration, scores) = figure.subplots(2, 2)
    figure.suptitle(title)

    fpr, tpr, _ = roc_curve(outcome, probability)
    roc.plot(fpr, tpr, label=f"area {roc_auc_score(outcome, probability):.3f}")
    roc.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="chance")
    roc.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")

    precision, recall, _ = precision_recall_curve(outcome, probability)
    pr.plot(recall, precision, label=f"area {average_precision_score(outcome, probability):.3f}")
    pr.axhline(float(np.mean(outcome)), color="0.7", linestyle="--", label="churn rate")
    pr.set(title="Precision and recall", xlabel="recall", ylabel="precision", ylim=(0, 1.02))

    observed, predicted = calibration_curve(outcome, probability, n_bins=10, strategy="quantile")
    calibration.plot(predicted, observed, marker="o", label="model")
    calibration.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect")
    calibration.set(title="Calibration (tenths of the customers)", xlabel="predicted probability", ylabel="churn rate")

    bins = np.linspace(0, 1, 31).tolist()
    for level, label in ((0, "stayed"), (1, "churned")):
        scores.hist(probability[outcome == level], bins=bins, alpha=0.6, density=True, label=label)
    scores.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3f}")
    scores.set(title="Scores", xlabel="churn probability", ylabel="density")

    for axes in (roc, pr, calibration, scores):
        axes.legend()
        axes.grid(alpha=0.3)
    return figure
