"""Pictures of a model's quality, of what it is worth and for whom, drawn without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from churn.config.params import ProfitParams
from churn.evaluation.curves import calibration_curve
from churn.evaluation.profit import break_even
from churn.evaluation.report import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    figure = Figure(figsize=(11, 8.5), layout="constrained")
    (roc, pr), (calibration, scores) = figure.subplots(2, 2)
    figure.suptitle(title)

    fpr, tpr, _ = roc_curve(outcome, probability)
    roc.plot(fpr, tpr, label=f"area {roc_auc_score(outcome, probability):.3f}")
    roc.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="chance")
    roc.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")

    precision, recall, _ = precision_recall_curve(outcome, probability)
    pr.plot(recall, precision, drawstyle="steps-post", label=f"area {average_precision_score(outcome, probability):.3f}")
    pr.axhline(float(np.mean(outcome)), color="0.7", linestyle="--", label="churn rate")
    pr.set(title="Precision and recall", xlabel="recall", ylabel="precision", ylim=(0, 1.02))

    bins = calibration_curve(outcome, probability, bins=10, confidence=0.95)
    wilson = (bins["observed"] - bins["low"], bins["high"] - bins["observed"])
    calibration.errorbar(bins["predicted"], bins["observed"], np.clip(wilson, 0, 1), marker="o", capsize=2, label="model, 95 %")
    calibration.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect")
    calibration.set(title="Calibration, by tenths of the customers", xlabel="predicted probability", ylabel="churn rate")

    edges = np.linspace(0, 1, 31).tolist()
    for level, label in ((0, "stayed"), (1, "churned")):
        scores.hist(probability[outcome == level], bins=edges, alpha=0.6, density=True, label=label)
    scores.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3f}")
    scores.set(title="Scores", xlabel="churn probability", ylabel="density")

    for axes in (roc, pr, calibration, scores):
        axes.legend()
        axes.grid(alpha=0.3)
    return figure


def draw_business(evaluation: Evaluation, budget: float, profit: ProfitParams, title: str) -> Figure:
    """Draw what contacting more and more customers earns, whom it reaches, and how much better than chance each tenth is.

    Parameters
    ----------
    evaluation : Evaluation
        Of customers of both classes.
    budget : float or int
        Who can be contacted at most, as `ThresholdParams.budget`: marked.
    profit : ProfitParams
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        14 x 5.5 inches; see `draw_quality`.
    """
    from matplotlib.figure import Figure

    card, curves = evaluation.card, evaluation.curves
    figure = Figure(figsize=(14, 5.5), layout="constrained")
    money, gains, lift = figure.subplots(1, 3)
    figure.suptitle(title)

    share = min(1.0, budget if budget < 1 else budget / card.rows)
    for axes, curve, column in ((money, "profit", "profit_per_customer"), (gains, "gains", "churners_share")):
        x, y = curves[curve]["contacted_share"], curves[curve][column]
        axes.plot(x, y, label="model")
        axes.axvline(share, color="C2", linestyle=":", label=f"budget: the top {share:.0%}")
        chosen = float(np.interp(card.selection_rate, x, y))
        label = f"threshold {card.threshold:.3f}: {card.selection_rate:.0%} contacted"
        axes.plot(card.selection_rate, chosen, "o", color="black", label=label)
        axes.set(xlabel="share of customers contacted, highest scores first")
    low, high = evaluation.intervals["profit"]
    money.vlines(card.selection_rate, low, high, color="black", alpha=0.5, label=f"its {evaluation.confidence:.0%} interval")
    money.axhline(0, color="0.7", linestyle="--", label="contact nobody")
    money.set(
        title=f"Expected profit (a contact pays from {break_even(profit):.1%} on)", ylabel=f"{profit.currency} per customer"
    )
    gains.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="chance")
    gains.set(title="Cumulative gains", ylabel="share of churners reached")

    bars = lift.bar(curves["lift"]["decile"], curves["lift"]["lift"])
    lift.bar_label(bars, fmt="%.1f", padding=2)
    lift.axhline(1, color="0.7", linestyle="--", label=f"all: {card.churn_rate:.1%} churn")
    lift.set(title="Lift by tenth", xlabel="tenth of the customers, highest scores first", ylabel="churn rate over that of all")
    lift.set_xticks(range(1, 11))
    lift.margins(y=0.1)

    for axes in (money, gains, lift):
        # Below: a curve may run anywhere.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
        axes.grid(alpha=0.3)
    return figure


def draw_slices(evaluation: Evaluation, title: str) -> Figure:
    """Draw log loss and calibration gap of each slice, with intervals, beside those of all customers.

    Parameters
    ----------
    evaluation : Evaluation
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        12 inches wide, as high as the slices need; see `draw_quality`.
    """
    from matplotlib.figure import Figure

    table = evaluation.slices
    figure = Figure(figsize=(12, 2.2 + 0.32 * len(table)), layout="constrained")
    losses, gaps = figure.subplots(1, 2, sharey=True)
    figure.suptitle(title)
    sure = f"{evaluation.confidence:.0%} intervals"
    _draw_intervals(losses, table, "log_loss", evaluation.card.log_loss)
    losses.set(title=f"Log loss, {sure}", xlabel="nats; lower is better")
    _draw_intervals(gaps, table, "calibration_gap", 0.0)
    gaps.set(title=f"Calibration gap, {sure}", xlabel="churn rate minus mean probability")

    names = [f"{row.column}: {row.level} ({row.rows:,})" for row in table.itertuples()]
    losses.set_yticks(range(len(table)), names or [])
    losses.invert_yaxis()
    if table.empty:
        losses.text(0.5, 0.5, "no slice is large enough", ha="center", va="center", transform=losses.transAxes)
    return figure


def _draw_intervals(axes: Axes, table: pd.DataFrame, name: str, overall: float) -> None:
    value = table[name]
    # A percentile interval need not hold its own value.
    lengths = np.clip([value - table[f"{name}_low"], table[f"{name}_high"] - value], 0, None)
    axes.errorbar(value, range(len(table)), xerr=lengths, fmt="o", capsize=3)
    axes.axvline(overall, color="0.5", linestyle="--")
    # A line between the columns that are sliced by.
    for place in np.flatnonzero(table["column"].ne(table["column"].shift()))[1:]:
        axes.axhline(place - 0.5, color="0.85", linewidth=0.8)
    axes.grid(alpha=0.3, axis="x")
