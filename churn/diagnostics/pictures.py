"""Learning and validation curves as pictures: scikit-learn's own displays, drawn without a screen."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from churn.diagnostics.fold_differences import NAMES
from churn.diagnostics.learning import LearningCurve
from churn.diagnostics.validation import ValidationCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = ["customers trained on", "others (cross-validation)"]
WIDTH = 95


def draw_learning(curve: LearningCurve) -> Figure:
    """Draw a learning curve, with the sentence that reads it.

    Parameters
    ----------
    curve : LearningCurve

    Returns
    -------
    matplotlib.figure.Figure
        8 x 5.5 inches; the caller saves it. Not registered with pyplot: nothing to close.
    """
    from matplotlib.figure import Figure
    from sklearn.model_selection import LearningCurveDisplay

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    name, negate = NAMES[curve.scoring]
    display = LearningCurveDisplay(train_sizes=curve.rows, train_scores=curve.own, test_scores=curve.others, score_name=name)
    display.plot(axes, negate_score=negate, fill_between_kw={"alpha": 0.2}, line_kw={"marker": "o"})
    axes.set(xlabel="customers trained on", title=textwrap.fill(curve.sentence(), WIDTH))
    axes.set_xticks(curve.rows.tolist(), [f"{rows:,}" for rows in curve.rows], minor=False)
    axes.set_xticks([], minor=True)
    _finish(axes, LABELS)
    return figure


def draw_validation(curves: Sequence[ValidationCurve]) -> Figure:
    """Draw validation curves, one above the other, each with the sentence that reads it.

    Parameters
    ----------
    curves : sequence of ValidationCurve
        At least one.

    Returns
    -------
    matplotlib.figure.Figure
        8 inches wide, 4.5 high for each; see `draw_learning`.
    """
    from matplotlib.figure import Figure
    from sklearn.model_selection import ValidationCurveDisplay

    figure = Figure(figsize=(8, 4.5 * len(curves)), layout="constrained")
    for axes, curve in zip(figure.subplots(len(curves), squeeze=False)[:, 0], curves, strict=True):
        name, negate = NAMES[curve.scoring]
        own = curve.others if curve.own is None else curve.own
        display = ValidationCurveDisplay(
            param_name=curve.parameter,
            param_range=np.array(curve.values),
            train_scores=own,
            test_scores=curve.others,
            score_name=name,
        )
        # "others" has its colour in every picture, also where it is alone.
        alone = {"color": "C1"} if curve.own is None else {}
        line, area = {"marker": "o", **alone}, {"alpha": 0.2, **alone}
        kind = "test" if curve.own is None else "both"
        display.plot(axes, negate_score=negate, score_type=kind, fill_between_kw=area, line_kw=line)
        axes.axvline(curve.chosen, color="0.5", linestyle="--", label=f"in use: {curve.chosen:g}")
        axes.set(title=textwrap.fill(curve.sentence(), WIDTH))
        axes.set_xticks(curve.values, [f"{value:g}" for value in curve.values], minor=False)
        axes.set_xticks([], minor=True)
        _finish(axes, [*(LABELS[1:] if curve.own is None else LABELS), f"in use: {curve.chosen:g}"])
    return figure


def _finish(axes: Axes, labels: Sequence[str]) -> None:
    axes.title.set_fontsize(10)
    axes.grid(alpha=0.3)
    axes.legend(axes.get_lines(), labels)
