"""Learning and validation curves: a world whose answer is known is read rightly, twice alike, in bounded time."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.diagnostics.curves import Curves, find_curves
from churn.diagnostics.learning import LearningCurve, measure_learning
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import Tuned, tune

FEATURES = [f"x{number}" for number in range(30)]
PARAMS = TuningParams(folds=4, grid={"logreg__C": [0.001, 0.1, 1.0]})


def customers(rows: int, *, churners: float = 0.4, seed: int = 0) -> Labelled:
    """30 columns that each say a little: many customers are needed to weigh them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, len(FEATURES))), columns=FEATURES)
    logit = 0.4 * frame.sum(axis=1) + np.log(churners / (1 - churners))
    return Labelled(frame, pd.Series((rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)))


def tuned(known: Labelled, params: TuningParams = PARAMS) -> Tuned:
    return tune(build_pipeline(1), known, FEATURES, params, seed=1)


def learned(rows: int) -> LearningCurve:
    curve = measure_learning(build_pipeline(1), customers(rows), FEATURES, "neg_log_loss", 4, 1)
    assert curve is not None
    return curve


def test_pictures_show_scores_as_people_read_them() -> None:
    curves = find_curves(tuned(customers(500)), customers(500), FEATURES, PARAMS, 1, measure=True)
    files = curves.files()
    assert set(files) == {
        *("plots/learning_curve.png", "plots/validation_curves.png"),
        *("curves/learning.csv", "curves/validation.csv"),
    }
    for name in ("plots/learning_curve.png", "plots/validation_curves.png"):
        axes = files[name].axes[0]
        assert axes.get_ylabel() == "log loss"
        assert all(value > 0 for line in axes.get_lines()[:2] for value in line.get_ydata()), "losses, not negated ones"
        assert {"customers trained on", "others (cross-validation)"} <= {text.get_text() for text in axes.get_legend().texts}
        files[name].savefig(io.BytesIO())
    assert list(files["curves/learning.csv"]) == ["rows", "fold", "own", "others"]
    assert curves.report()["more_customers"].startswith("More customers would probably help")


def test_without_curves_there_are_no_files() -> None:
    assert Curves().files() == {}
