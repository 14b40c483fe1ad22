"""Customers for curves: 30 columns that each say a little, so that many customers are needed to weigh them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.diagnostics.learning import LearningCurve, measure_learning
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import Tuned, tune

FEATURES = [f"x{number}" for number in range(30)]
PARAMS = TuningParams(folds=4, grid={"logreg__C": [0.001, 0.1, 1.0]})


def customers(rows: int, *, churners: float = 0.4, seed: int = 0) -> Labelled:
    """Draw customers whose log-odds of churn are a sum over all columns; about a share `churners` leaves."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, len(FEATURES))), columns=FEATURES)
    logit = 0.4 * frame.sum(axis=1) + np.log(churners / (1 - churners))
    return Labelled(frame, pd.Series((rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)))


def tuned(known: Labelled, params: TuningParams = PARAMS) -> Tuned:
    """Search the regularisation of a plain logistic regression."""
    return tune(build_pipeline(1), known, FEATURES, params, seed=1)


def learned(rows: int) -> LearningCurve:
    """Measure the learning curve of so many customers with four folds."""
    curve = measure_learning(build_pipeline(1), customers(rows), FEATURES, "neg_log_loss", 4, 1)
    assert curve is not None
    return curve
