"""Which candidates a search tries, how often it scores, and the score."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlogy
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (makes the halving searches importable)
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, ParameterGrid, RandomizedSearchCV
from sklearn.pipeline import Pipeline

from churn.config.params import Distribution, Form, Grid, TuningParams

# Receives the number of scores so far, one per candidate and fold.
OnScore = Callable[[int], None]
HALVING_FACTOR = 3


def searcher(pipeline: Pipeline, grids: list[Grid], params: TuningParams, seed: int) -> Callable[..., Any]:
    """Return what makes the search that `params` asks for, given a scoring and folds.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    grids : list of dict
        Parameter to its values, or to the distribution that they are drawn from.
    params : TuningParams
    seed : int
        Of what a random search draws.

    Returns
    -------
    callable
        Takes what the searches of scikit-learn have in common.
    """
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
    further = list(ParameterGrid(params.boosted_grid_for(form)))
    boosted = len(further) + bool(further)  # and one beside rules
    match params.search:
        case "grid":
            return (len(ParameterGrid(grids)) + boosted) * params.folds
        case "random":
            return (_draws(params, grids) + boosted) * params.folds
        case "halving":
            return None


class Scored(NamedTuple):
    """A score, and the probabilities that it is of, shape (n_customers_asked,)."""

    score: float
    probability: NDArray[np.float64]


class CountingScorer:
    """A scorer that reports how often it was called, and keeps what it scored.

    Parameters
    ----------
    scoring : str
        A name of scikit-learn's.
    on_score : callable, optional
        Receives how many scores there were so far.

    Attributes
    ----------
    scored : list of Scored
        Each call in this process: candidates that are fitted in others are scored there.
    """

    def __init__(self, scoring: str, on_score: OnScore | None) -> None:
        self._scorer = None if scoring == "neg_log_loss" else get_scorer(scoring)
        self._on_score = on_score
        self.scored: list[Scored] = []

    def __call__(self, estimator: Any, x: pd.DataFrame, y: pd.Series) -> float:
        """Return the score of a fitted pipeline."""
        probability = estimator.predict_proba(x)[:, -1]
        score = _neg_log_loss(estimator, x, y, probability) if self._scorer is None else float(self._scorer(estimator, x, y))
        self.scored.append(Scored(score, probability))
        if self._on_score is not None:
            self._on_score(len(self.scored))
        return score


def _neg_log_loss(estimator: Any, x: pd.DataFrame, y: pd.Series, probability: NDArray[np.float64]) -> float:
    """Return what scikit-learn's scorer of that name does, to the last bit, without a sixth of a search's time for its checks."""
    outcome = y.to_numpy()
    binary = np.isin(outcome, (0, 1)).all() and len(np.unique(outcome)) == len(estimator.classes_)
    if not binary or not ((probability >= 0) & (probability <= 1)).all():
        # One class, or no probabilities: it says what is wrong.
        return float(get_scorer("neg_log_loss")(estimator, x, y))
    eps = np.finfo(probability.dtype).eps
    of_what_happened = np.clip(np.where(outcome == 1, probability, 1 - probability), eps, 1 - eps)
    return float(xlogy(1.0, of_what_happened).mean())
