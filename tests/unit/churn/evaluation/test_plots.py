from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from churn.config.params import EvaluationParams, Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.plots import draw_business, draw_quality, draw_slices
from churn.evaluation.report import Evaluation, assess

PARAMS = Params(evaluation=EvaluationParams(resamples=100))


@pytest.fixture(scope="module")
def found(known: Labelled, probability: np.ndarray, contract: Contract) -> Evaluation:
    return assess(known, probability, 0.4, contract, PARAMS)


def texts(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [axes.get_title(), *([text.get_text() for text in legend.get_texts()] if legend else [])]


def assert_nothing_overlaps(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axes in figure.axes:
        labels = [label for label in (*axes.get_yticklabels(), axes.xaxis.label, axes.title) if label.get_text()]
        boxes = [label.get_window_extent(renderer) for label in labels if label.get_visible()]
        for one, other in combinations(boxes, 2):
            assert not one.overlaps(other)
        for box in boxes:
            assert figure.bbox.x0 <= box.x0
            assert box.x1 <= figure.bbox.x1


def test_quality_shows_areas_and_threshold(known: Labelled, probability: np.ndarray, found: Evaluation) -> None:
    figure = draw_quality(known.outcome.to_numpy(), probability, 0.4, "Holdout")
    roc, pr, calibration, scores = figure.axes
    assert f"area {found.card.roc_auc:.3f}" in texts(roc)
    assert f"area {found.card.pr_auc:.3f}" in texts(pr)
    assert "threshold 0.400" in texts(scores)
    assert len(calibration.containers[0].lines[0].get_xdata()) == 10


@pytest.mark.parametrize(("budget", "percent"), [(0.25, "25%"), (60, "10%"), (10_000, "100%")])
def test_business_marks_threshold_budget_and_interval(found: Evaluation, budget: float, percent: str) -> None:
    figure = draw_business(found, budget, PARAMS.profit, "Holdout")
    money, gains, lift = figure.axes
    for axes in (money, gains):
        assert f"budget: the top {percent}" in texts(axes)
        chosen = next(line for line in axes.lines if line.get_marker() == "o")
        assert chosen.get_xdata()[0] == found.card.selection_rate
    assert money.get_ylabel() == "USD per customer"
    marked = next(line for line in money.lines if line.get_marker() == "o")
    assert marked.get_ydata()[0] == pytest.approx(found.card.profit)
    assert [bar.get_height() for bar in lift.patches] == pytest.approx(found.curves["lift"]["lift"].tolist())
    assert_nothing_overlaps(figure)


def test_slices_are_named_with_their_size_and_drawn_where_they_are(found: Evaluation) -> None:
    figure = draw_slices(found, "Holdout")
    losses, gaps = figure.axes
    first = found.slices.iloc[0]
    assert losses.get_yticklabels()[0].get_text() == f"{first['column']}: {first['level']} ({first['rows']})"
    assert losses.containers[0].lines[0].get_xdata() == pytest.approx(found.slices["log_loss"].to_numpy())
    assert gaps.containers[0].lines[0].get_xdata() == pytest.approx(found.slices["calibration_gap"].to_numpy())
    assert losses.yaxis_inverted()
    assert_nothing_overlaps(figure)


def test_no_slices_are_said_to_be_none(found: Evaluation) -> None:
    figure = draw_slices(replace(found, slices=found.slices.head(0)), "Holdout")
    assert [text.get_text() for text in figure.axes[0].texts] == ["no slice is large enough"]
    figure.savefig(BytesIO())


def test_an_interval_that_misses_its_own_value_is_drawn(found: Evaluation) -> None:
    odd = found.slices.assign(log_loss_low=found.slices["log_loss"] + 0.01)
    draw_slices(replace(found, slices=odd), "Holdout").savefig(BytesIO())
