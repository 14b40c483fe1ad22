"""What the pictures of curves show: the scores, the value in use, and the sentence that reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from churn.diagnostics.learning import LearningCurve
from churn.diagnostics.pictures import LABELS, draw_learning, draw_validation
from churn.diagnostics.validation import ValidationCurve

OTHERS = np.array([[-0.5, -0.6], [-0.3, -0.4], [-0.4, -0.5]])
OWN = OTHERS + 0.1


def lines_of(axes: Any) -> dict[str, tuple[list[float], list[float]]]:
    """Give the lines by the words of the legend."""
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    lines = axes.get_lines()
    assert len(words) == len(lines)
    return {word: (list(line.get_xdata()), list(line.get_ydata())) for word, line in zip(words, lines, strict=True)}


def test_a_learning_curve_shows_both_scores_as_losses_by_customers() -> None:
    curve = LearningCurve("neg_log_loss", np.array([100, 200, 400]), OWN, OTHERS)
    [axes] = draw_learning(curve).axes
    lines = lines_of(axes)
    assert list(lines) == LABELS
    np.testing.assert_allclose(lines[LABELS[0]], ([100, 200, 400], [0.45, 0.25, 0.35]))
    np.testing.assert_allclose(lines[LABELS[1]], ([100, 200, 400], [0.55, 0.35, 0.45]))
    assert " ".join(axes.get_title().split()) == curve.sentence()


def test_a_validation_curve_marks_the_value_in_use_and_shows_its_own_scores_where_they_are_known() -> None:
    curves = [
        ValidationCurve("logreg__C", 1.0, "roc_auc", [0.1, 1.0, 10.0], -OTHERS),
        ValidationCurve("logreg__C", 0.1, "roc_auc", [0.1, 1.0, 10.0], -OTHERS, -OWN),
    ]
    first, second = draw_validation(curves).axes
    assert list(lines_of(first)) == [LABELS[1], "in use: 1"]
    assert lines_of(first)["in use: 1"][0] == [1.0, 1.0]
    np.testing.assert_allclose(lines_of(first)[LABELS[1]][1], [0.55, 0.35, 0.45])
    assert list(lines_of(second)) == [*LABELS, "in use: 0.1"]
    np.testing.assert_allclose(lines_of(second)[LABELS[0]][1], [0.45, 0.25, 0.35])
    assert [label.get_text() for label in second.get_xticklabels()] == ["0.1", "1", "10"]
    assert " ".join(second.get_title().split()) == curves[1].sentence()
