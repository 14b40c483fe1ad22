"""Search the grid by cross-validation, fit the best, and say what it would have answered about each customer unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from churn.errors import InputError
from churn.params import TuningParams
from churn.split import Labelled


@dataclass(frozen=True)
class Tuned:
    """The outcome of a search.

    Attributes
    ----------
    pipeline : Pipeline
        With the best parameters, fitted on all training customers.
    best : dict
        The best parameters.
    score : float
        Mean score over the folds, in the scoring's own units.
    candidates : pandas.DataFrame, shape (n_candidates, …)
        Parameters, mean and standard deviation of the score, rank.
    out_of_fold : numpy.ndarray of float64, shape (n_customers,)
        Churn probability of each training customer by a model that had not seen it.
    """

    pipeline: Pipeline
    best: dict[str, object]
    score: float
    candidates: pd.DataFrame
    out_of_fold: np.ndarray


def tune(pipeline: Pipeline, train: Labelled, features: list[str], params: TuningParams, seed: int) -> Tuned:
    """Search `params.grid` with stratified folds and refit the best candidate.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    train : Labelled
        Training customers only.
    features : list of str
        The columns the model reads, in order.
    params : TuningParams
    seed : int
        Of the folds.

    Raises
    ------
    InputError
        If the grid names a parameter, or a value, that the pipeline does not know.
    """
    if unknown := sorted(set(params.grid) - set(pipeline.get_params())):
        raise InputError(f"tuning.grid: the pipeline has no parameter {unknown[0]!r}")
    folds = StratifiedKFold(params.folds, shuffle=True, random_state=seed)
    x = train.features[features]
    search = GridSearchCV(pipeline, params.grid, scoring=params.scoring, cv=folds, error_score="raise")
    try:
        search.fit(x, train.outcome)
    except InvalidParameterError as error:
        raise InputError(f"tuning.grid: {error}") from error
    results = pd.DataFrame(search.cv_results_)
    columns = [c for c in map(str, results) if c.startswith("param_")] + ["mean_test_score", "std_test_score", "rank_test_score"]
    best = clone(pipeline).set_params(**search.best_params_)
    out_of_fold = cross_val_predict(best, x, train.outcome, cv=folds, method="predict_proba")[:, 1]
    return Tuned(
        pipeline=search.best_estimator_,
        best=dict(search.best_params_),
        score=float(search.best_score_),
        candidates=results[columns].sort_values("rank_test_score", kind="stable").reset_index(drop=True),
        out_of_fold=np.asarray(out_of_fold, dtype=np.float64),
    )
