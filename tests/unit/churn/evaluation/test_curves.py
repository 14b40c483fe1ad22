"""Curves of an evaluation: which there are, that none has more points than a plot shows, and that they say what is so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from churn.config.params import ProfitParams
from churn.evaluation.curves import POINTS, calibration_curve, curves_of

ALWAYS = {"calibration", "profit"}
OF_CHURNERS = {"precision_recall", "gains", "lift"}


def labelled(rows: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 4, rows)
    return (rng.random(rows) < probability).astype(int), probability


@pytest.mark.parametrize(
    ("outcome", "curves"),
    [([0, 0, 0], ALWAYS), ([1, 1, 1], ALWAYS | OF_CHURNERS), ([0, 1, 0], ALWAYS | OF_CHURNERS | {"roc"})],
)
def test_a_curve_is_there_where_the_outcomes_allow_it(outcome: list[int], curves: set[str]) -> None:
    assert set(curves_of(np.array(outcome), np.array([0.1, 0.5, 0.9]), ProfitParams())) == curves


def test_no_curve_has_more_points_than_a_plot_shows_and_all_have_their_ends() -> None:
    outcome, probability = labelled(5 * POINTS)
    found = curves_of(outcome, probability, ProfitParams())
    for name in ("roc", "precision_recall", "gains", "profit"):
        assert len(found[name]) == POINTS, name
    for name, (x, y) in {
        "roc": ("false_positive_rate", "true_positive_rate"),
        "gains": ("contacted_share", "churners_share"),
    }.items():
        curve = found[name]
        assert curve[[x, y]].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
        assert curve[x].is_monotonic_increasing
        assert curve[y].is_monotonic_increasing
    roc = found["roc"]
    assert np.trapezoid(roc.true_positive_rate, roc.false_positive_rate) == pytest.approx(
        roc_auc_score(outcome, probability), abs=0.002
    )


def test_lift_compares_each_tenth_with_all() -> None:
    outcome = np.array([1] * 10 + [0] * 90)
    lift = curves_of(outcome, np.linspace(1, 0, 100), ProfitParams())["lift"]
    assert lift.decile.tolist() == list(range(1, 11))
    assert lift.lift.tolist() == pytest.approx([10.0] + [0.0] * 9)
    even, probability = labelled(1_000)
    assert curves_of(even, probability, ProfitParams())["lift"].lift.mean() == pytest.approx(1.0)


def test_calibration_compares_what_was_predicted_with_what_came_true() -> None:
    outcome, probability = labelled(2_000)
    curve = calibration_curve(outcome, probability, bins=10, confidence=0.95)
    assert list(curve.columns) == ["predicted", "observed", "low", "high", "customers"]
    assert curve.customers.tolist() == [200] * 10
    order = np.argsort(probability, kind="stable").reshape(10, 200)
    assert curve.predicted.tolist() == pytest.approx([probability[part].mean() for part in order])
    assert curve.observed.tolist() == pytest.approx([outcome[part].mean() for part in order])
    assert ((curve.low <= curve.observed) & (curve.observed <= curve.high)).all()


def test_intervals_are_wilsons_and_widen_where_customers_have_several_rows() -> None:
    outcome, probability = np.array([1, 0, 0, 0] * 25), np.full(100, 0.25)
    alone = calibration_curve(outcome, probability, bins=1, confidence=0.95).iloc[0]
    assert (alone.low, alone.high) == (pytest.approx(0.17546, abs=1e-4), pytest.approx(0.34304, abs=1e-4))
    few = calibration_curve(outcome, probability, bins=1, confidence=0.95, customer=np.arange(100) // 4).iloc[0]
    assert (few.customers, few.observed) == (25, 0.25)
    assert few.high - few.low > alone.high - alone.low
    sure = calibration_curve(outcome, probability, bins=1, confidence=0.5).iloc[0]
    assert sure.high - sure.low < alone.high - alone.low


def test_a_short_curve_is_shown_as_it_is() -> None:
    found = curves_of(np.array([0, 1]), np.array([0.2, 0.8]), ProfitParams())
    pd.testing.assert_frame_equal(
        found["gains"], pd.DataFrame({"contacted_share": [0.0, 0.5, 1.0], "churners_share": [0.0, 1.0, 1.0]})
    )
