"""Learning curves: what more customers would have given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.data.labelled import Labelled
from churn.diagnostics import learning
from churn.diagnostics.curves import TOO_FEW, find_curves
from churn.diagnostics.fold_differences import gain_over_folds
from churn.diagnostics.learning import LearningCurve, measure_learning
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import tune
from tests.unit.churn.diagnostics.weak_columns import FEATURES, PARAMS, customers, learned


def test_where_customers_are_few_more_would_help() -> None:
    curve = learned(500)
    assert curve.rows.tolist() == [46, 93, 187, 375]
    assert curve.sentence().startswith(
        "More customers would probably help: from 187 customers to 375, log loss on others fell by"
    )
    assert (curve.own.mean(axis=1) > curve.others.mean(axis=1)).all(), "it knows its own customers better"


def test_where_there_are_plenty_more_would_hardly_help() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16_000, 1))
    y = pd.Series((rng.random(16_000) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64))
    curve = measure_learning(build_pipeline(1), Labelled(pd.DataFrame(x, columns=["a"]), y), ["a"], "roc_auc", 4, 1)
    assert curve is not None
    assert curve.sentence().startswith("More customers would hardly help: from 6,000 customers to 12,000, ROC AUC on others ")


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ([0.60, 0.61, 0.62], "More customers would help: from 50 customers to 100, ROC AUC on others rose by 0.1000"),
        ([0.40, 0.60, 0.65], "More customers would probably help"),
        (
            [0.40, 0.60, 0.52],
            "Whether more customers would help cannot be told: from 50 customers to 100, ROC AUC",
        ),
        ([0.50, 0.51, 0.521], "More customers would hardly help"),
        # By just as much as counts as much.
        ([4.0, 2.0, 0.0], "More customers would probably help"),
    ],
)
def test_a_doubling_is_read_against_what_chance_does_over_the_folds(
    last: list[float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = np.array([0.50, 0.51, 0.52])
    if last[0] == 4:
        before = np.array([0.0, 1.0, 2.0])
        monkeypatch.setattr(learning, "SMALL", 0.5)
    curve = LearningCurve("roc_auc", np.array([50, 100]), np.ones((2, 3)), np.array([before, last]))
    assert said in curve.sentence()


def test_the_interval_is_wider_than_that_of_independent_folds() -> None:
    gain = gain_over_folds(np.zeros(4), np.array([1.0, 2.0, 3.0, 2.0]))
    # Nadeau and Bengio by hand: t(3) = 3.182446, s² = 2/3, and 1/4 + 1/3 in the place of 1/4.
    assert (gain.high - gain.low) / 2 == pytest.approx(3.182446 * np.sqrt(2 / 3 * (1 / 4 + 1 / 3)), rel=1e-6)
    assert gain.mean == 2.0


def test_it_is_the_same_twice_and_bounded_in_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MAX_ROWS", 400)
    first, second = learned(1_000), learned(1_000)
    np.testing.assert_array_equal(first.others, second.others)
    assert first.rows.max() == 300
    assert first.left_out == 600


def test_rows_of_one_customer_are_never_on_both_sides() -> None:
    """Else a customer's other rows would give the answer: noise would look learnable."""
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(100), 5)
    frame = pd.DataFrame(rng.normal(size=(100, 30))[who], columns=FEATURES)
    known = Labelled(frame, pd.Series(rng.integers(0, 2, 100)[who]), customer=who.astype(np.int64))
    curve = measure_learning(build_pipeline(1), known, FEATURES, "roc_auc", 4, 1)
    assert curve is not None
    assert curve.others[-1].mean() < 0.65


def test_too_few_of_a_class_is_said_and_is_no_failure() -> None:
    known = customers(60, churners=0.3)
    curves = find_curves(tune(build_pipeline(1), known, FEATURES, PARAMS, seed=1), known, FEATURES, PARAMS, 1, measure=True)
    assert curves.learning is None
    assert curves.report()["more_customers"] == TOO_FEW
    assert "plots/learning_curve.png" not in curves.files()


def test_only_those_above_the_bound_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learning.MAX_ROWS == 20_000
    monkeypatch.setattr(learning, "MAX_ROWS", 50)
    known = customers(50)
    assert learning.bounded(known, 1) == (known, 0)
    kept, left_out = learning.bounded(customers(53), 1)
    assert (len(kept), left_out) == (50, 3)
