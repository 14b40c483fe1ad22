"""Search parameters by cross-validation, refit the best, and predict each training customer out of fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (makes the halving searches importable)
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    ParameterGrid,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import has_fit_parameter

from churn.config.params import Distribution, Form, Grid, TuningParams
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.boosted.choice import measure_gain
from churn.modeling.folds import make_folds

# Receives the number of scores so far, one per candidate and fold.
OnScore = Callable[[int], None]
HALVING_FACTOR = 3
# Rows on which models with boosted trees are held against the simpler one.
MAX_COMPARED = 20_000


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

    Where the form's own grid is searched, its best candidate is then held against ones with the sum of a small boosting, on a
    sample if there are many customers. The best of these is taken only if its log loss is lower by more than one standard error,
    paired by customer (`churn.modeling.boosted.choice`).

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
    boosted = list(ParameterGrid(params.boosted_grid_for(form)))
    if unknown := sorted({name for grid in grids for name in grid} - set(pipeline.get_params())):
        raise InputError(f"tuning.grid: the pipeline has no parameter {unknown[0]!r}")
    folds = make_folds(train, params.folds, seed)
    # Where customers have places among the folds, a customer's rows are together already, and scikit-learn warns of groups.
    groups = train.customer if train.fold is None else None
    x = train.features[features]
    known = _known_customers(pipeline, train)
    scoring = _CountingScorer(params.scoring, on_score)
    search = _search(pipeline, grids, params, seed)(scoring=scoring, cv=folds, error_score="raise")
    try:
        search.fit(x, train.outcome, groups=groups, **known)
    except InvalidParameterError as error:
        raise InputError(f"tuning.grid: {error}") from error
    # A drawn value is a NumPy scalar, which the artifact would have to trust as one more type.
    chosen = {name: value.item() if isinstance(value, np.generic) else value for name, value in search.best_params_.items()}
    results = pd.DataFrame(search.cv_results_)
    columns = [c for c in map(str, results) if c.startswith("param_")] + ["mean_test_score", "std_test_score", "rank_test_score"]
    ranked = results.sort_values("rank_test_score", kind="stable")
    folds_of = [f"split{number}_test_score" for number in range(search.n_splits_)]
    best = clone(pipeline).set_params(**chosen)
    out_of_fold = cross_val_predict(best, x, train.outcome, groups=groups, cv=folds, method="predict_proba", params=known)[:, 1]
    found = Tuned(
        pipeline=search.best_estimator_.set_params(**chosen),
        best=chosen,
        score=float(search.best_score_),
        candidates=ranked[columns].reset_index(drop=True),
        out_of_fold=np.asarray(out_of_fold, dtype=np.float64),
        fold_scores=ranked[folds_of].to_numpy(dtype=np.float64),
    )
    return _consider_boosted(found, pipeline, boosted, train, features, params.folds, seed, scoring) if boosted else found


def _known_customers(pipeline: Pipeline, train: Labelled) -> dict[str, Any]:
    """Return what the feature step is told of customers, if it is there and there is something to tell."""
    step = pipeline.named_steps.get("features")
    asks = step is not None and has_fit_parameter(step, "customer")
    return {"features__customer": train.customer} if asks and train.customer is not None else {}


def _consider_boosted(
    simple: Tuned,
    pipeline: Pipeline,
    candidates: list[dict[str, Any]],
    train: Labelled,
    features: list[str],
    folds: int,
    seed: int,
    scoring: _CountingScorer,
) -> Tuned:
    """Return the best of further candidates if it pays, else the simple one; with the scores of all."""
    compared, so_far = train, simple.out_of_fold
    if len(train) > MAX_COMPARED:
        drawn = np.random.default_rng(seed).choice(len(train), MAX_COMPARED, replace=False)
        compared = train.take(np.sort(drawn))
        so_far, _ = _score(clone(pipeline).set_params(**simple.best), compared, features, folds, seed, None)
    outcome, scored, gains = compared.outcome.to_numpy(), [], []
    for chosen in candidates:
        scored.append(_score(clone(pipeline).set_params(**chosen), compared, features, folds, seed, scoring))
        gains.append(measure_gain(outcome, so_far, scored[-1][0], compared.customer))
        if gains[-1].mean < -gains[-1].error:
            break  # larger ones would not make good for that
    candidates = candidates[: len(scored)]
    best = int(np.argmax([gain.mean for gain in gains]))
    tried = pd.DataFrame([{f"param_{name}": value for name, value in chosen.items()} for chosen in candidates])
    tried["mean_test_score"] = [scores.mean() for _, scores in scored]
    tried["std_test_score"] = [scores.std() for _, scores in scored]
    every = pd.concat([simple.candidates, tried], ignore_index=True)
    every["rank_test_score"] = (
        every["mean_test_score"].rank(ascending=False, method="min").astype(simple.candidates["rank_test_score"].dtype)
    )
    order = every["rank_test_score"].sort_values(kind="stable").index
    both = replace(
        simple,
        candidates=every.loc[order].reset_index(drop=True),
        fold_scores=np.vstack([simple.fold_scores, *(scores for _, scores in scored)])[order],
    )
    if not gains[best].pays:
        return both
    fitted = clone(pipeline).set_params(**candidates[best])
    fitted.fit(train.features[features], train.outcome, **_known_customers(pipeline, train))
    out_of_fold, scores = scored[best]
    if compared is not train:
        out_of_fold, _ = _score(clone(fitted), train, features, folds, seed, None)
    return replace(both, pipeline=fitted, best=candidates[best], score=float(scores.mean()), out_of_fold=out_of_fold)


def _score(
    pipeline: Pipeline, train: Labelled, features: list[str], folds: int, seed: int, scoring: _CountingScorer | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each customer's probability by a pipeline that was not fitted on it, and the score in each fold."""
    x = train.features[features]
    done = cross_validate(
        pipeline,
        x,
        train.outcome,
        groups=train.customer if train.fold is None else None,
        scoring=scoring,
        cv=make_folds(train, folds, seed),
        params=_known_customers(pipeline, train),
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    out_of_fold = np.empty(len(train))
    for fitted, asked in zip(done["estimator"], done["indices"]["test"], strict=True):
        out_of_fold[asked] = fitted.predict_proba(x.iloc[asked])[:, 1]
    return out_of_fold, done["test_score"]


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
        At most: of further candidates the search leaves larger ones out where a smaller one is worse. None for a halving search,
        which decides as it goes.
    """
    grids = params.grid_for(form)
    boosted = len(ParameterGrid(params.boosted_grid_for(form)))
    match params.search:
        case "grid":
            return (len(ParameterGrid(grids)) + boosted) * params.folds
        case "random":
            return (_draws(params, grids) + boosted) * params.folds
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
