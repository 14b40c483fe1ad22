"""Search parameters by cross-validation, refit the best, and predict each training customer out of fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (makes the halving searches importable)
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    HalvingRandomSearchCV,
    ParameterGrid,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from churn.config.params import Distribution, Form, Grid, TuningParams
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.folds import fold_numbers

# Receives the number of scores so far, one per candidate and fold.
OnScore = Callable[[int], None]
HALVING_FACTOR = 3


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

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
        Churn probability of each training customer by a model that was not fitted on it.
    fold_scores : numpy.ndarray of float64, shape (n_candidates, n_folds)
        The score in each fold, of each row of `candidates`.
    """

    pipeline: Pipeline
    best: dict[str, object]
    score: float
    candidates: pd.DataFrame
    out_of_fold: np.ndarray
    fold_scores: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))


def tune(
    pipeline: Pipeline,
    train: Labelled,
    features: list[str],
    params: TuningParams,
    seed: int,
    *,
    form: Form = "plain",
    on_score: OnScore | None = None,
) -> Tuned:
    """Search with folds of customers and refit the best candidate. All rows of a customer are in one fold.

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
        Of what a random search draws; and of the folds, where the customers have no place of their own among them.
    form : {"terms", "plain", "deep"}
        Its default grid is searched where `params` has none.
    on_score : callable, optional
        Called after each candidate and fold with how many there were so far; see `expected_scores`.

    Returns
    -------
    Tuned

    Raises
    ------
    InputError
        If the grid names a parameter, or a value, that the pipeline does not know; or if a class has fewer customers than folds.
    """
    grids = params.grid_for(form)
    if unknown := sorted({name for grid in grids for name in grid} - set(pipeline.get_params())):
        raise InputError(f"tuning.grid: the pipeline has no parameter {unknown[0]!r}")
    folds = make_folds(train, params.folds, seed)
    # Where customers have places among the folds, a customer's rows are together already, and scikit-learn warns of groups.
    groups = train.customer if train.fold is None else None
    x = train.features[features]
    scoring = _CountingScorer(params.scoring, on_score)
    search = _search(pipeline, grids, params, seed)(scoring=scoring, cv=folds, error_score="raise")
    try:
        search.fit(x, train.outcome, groups=groups)
    except InvalidParameterError as error:
        raise InputError(f"tuning.grid: {error}") from error
    # A drawn value is a NumPy scalar, which the artifact would have to trust as one more type.
    chosen = {name: value.item() if isinstance(value, np.generic) else value for name, value in search.best_params_.items()}
    results = pd.DataFrame(search.cv_results_)
    columns = [c for c in map(str, results) if c.startswith("param_")] + ["mean_test_score", "std_test_score", "rank_test_score"]
    ranked = results.sort_values("rank_test_score", kind="stable")
    folds_of = [f"split{number}_test_score" for number in range(search.n_splits_)]
    best = clone(pipeline).set_params(**chosen)
    out_of_fold = cross_val_predict(best, x, train.outcome, groups=groups, cv=folds, method="predict_proba")[:, 1]
    return Tuned(
        pipeline=search.best_estimator_.set_params(**chosen),
        best=chosen,
        score=float(search.best_score_),
        candidates=ranked[columns].reset_index(drop=True),
        out_of_fold=np.asarray(out_of_fold, dtype=np.float64),
        fold_scores=ranked[folds_of].to_numpy(dtype=np.float64),
    )


def make_folds(train: Labelled, folds: int, seed: int) -> BaseCrossValidator:
    """Return the folds that a search is scored on. All rows of a customer are in one fold.

    Parameters
    ----------
    train : Labelled
    folds : int
    seed : int
        Used where the customers have no place of their own among the folds.

    Returns
    -------
    sklearn.model_selection.BaseCrossValidator
        To be given `train.customer` as groups, where there are no places.
    """
    if train.fold is not None:
        return PredefinedSplit(fold_numbers(train.outcome.to_numpy(), train.fold, folds, train.customer))
    kind = StratifiedKFold if train.customer is None else StratifiedGroupKFold
    return kind(folds, shuffle=True, random_state=seed)


def folds_of(train: Labelled, folds: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the rows to fit on, and those to predict, of each fold of a search.

    Parameters
    ----------
    train : Labelled
    folds, seed : int
        As in `make_folds`.

    Returns
    -------
    list of (array of int, array of int)
    """
    groups = train.customer if train.fold is None else None
    return list(make_folds(train, folds, seed).split(np.empty((len(train), 0)), train.outcome, groups))


def _search(pipeline: Pipeline, grids: list[Grid], params: TuningParams, seed: int) -> Callable[..., Any]:
    spaces = [{name: _distribution(value) for name, value in grid.items()} for grid in grids]
    match params.search:
        case "grid":
            return partial(GridSearchCV, pipeline, spaces)
        case "random":
            draws = _draws(params, grids)
            return partial(RandomizedSearchCV, pipeline, spaces, n_iter=draws, random_state=seed)
        case "halving":
            # Each round keeps the best third of the candidates, and gives them three times the customers; the last has all.
            return partial(
                HalvingRandomSearchCV,
                pipeline,
                spaces,
                n_candidates=_draws(params, grids),
                factor=HALVING_FACTOR,
                min_resources="exhaust",
                random_state=seed,
            )


def _distribution(value: Any) -> Any:
    if not isinstance(value, Distribution):
        return value
    return (
        stats.loguniform(value.low, value.high) if value.law == "loguniform" else stats.uniform(value.low, value.high - value.low)
    )


def _draws(params: TuningParams, grids: list[Grid]) -> int:
    """Return how many candidates a random search draws: at most as many as there are, where all values are listed."""
    if any(isinstance(value, Distribution) for grid in grids for value in grid.values()):
        return params.candidates
    return min(params.candidates, len(ParameterGrid(grids)))


def expected_scores(params: TuningParams, form: Form) -> int | None:
    """Return how often `on_score` will be called.

    Parameters
    ----------
    params : TuningParams
    form : {"terms", "plain", "deep"}

    Returns
    -------
    int or None
        None for a halving search, which decides as it goes.
    """
    grids = params.grid_for(form)
    match params.search:
        case "grid":
            return len(ParameterGrid(grids)) * params.folds
        case "random":
            return _draws(params, grids) * params.folds
        case "halving":
            return None


class _CountingScorer:
    """A scorer that reports how often it was called."""

    def __init__(self, scoring: str, on_score: OnScore | None) -> None:
        self._scorer = get_scorer(scoring)
        self._on_score = on_score
        self._calls = 0

    def __call__(self, estimator: Any, x: pd.DataFrame, y: pd.Series) -> float:
        score = float(self._scorer(estimator, x, y))
        self._calls += 1
        if self._on_score is not None:
            self._on_score(self._calls)
        return score
