"""Of which candidates the mean is taken: chosen one by one, with what each says of customers whom it was not fitted on.

Caruana et al., Ensemble selection from libraries of models, ICML 2004, doi:10.1145/1015330.1015432: greedy, and with replacement,
so that a candidate picked twice weighs twice. Few picks, since each adds terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.base import clone

from churn.config.params import Form, TuningParams
from churn.evaluation.statistics import log_losses
from churn.modeling.search.mean_of_models import MeanOfModels
from churn.modeling.search.task import SearchTask
from churn.modeling.search.tuned import Tuned, known_customers

Floats = NDArray[np.float64]
MAX_PICKS = 4
# A candidate that is surer does not outvote the others.
SUREST = 1e-9


class Candidate(NamedTuple):
    """What a search tried: its parameters, and its out-of-fold probabilities, shape (n_customers,)."""

    params: dict[str, Any]
    out_of_fold: Floats


class Mean(NamedTuple):
    """Candidates (their places), the weight of each one's log-odds, and their mean's probabilities, shape (n_customers,)."""

    places: list[int]
    weights: list[float]
    out_of_fold: Floats


def choose_mean(outcome: NDArray[np.int64], candidates: Sequence[Floats], max_picks: int = MAX_PICKS) -> Mean:
    """Choose whose log-odds to average, by log loss: the best candidate, then again and again what helps most beside it.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    candidates : sequence of array of float in [0, 1], shape (n,)
        Probabilities, each out of fold; at least one.
    max_picks : int
        At least 1. Of the means after each pick, the best is taken.

    Returns
    -------
    Mean
        The heaviest candidate first. A single one, where no mean is better.

    Examples
    --------
    >>> outcome = np.array([1, 0, 1, 0])
    >>> errs = [np.array([0.9, 0.6, 0.9, 0.1]), np.array([0.9, 0.1, 0.4, 0.1]), np.full(4, 0.5)]
    >>> places, weights, out_of_fold = choose_mean(outcome, errs)
    >>> places, weights, out_of_fold.round(2).tolist()
    ([0, 1], [0.5, 0.5], [0.9, 0.29, 0.71, 0.1])
    """
    said = [logit(np.clip(probability, SUREST, 1 - SUREST)) for probability in candidates]
    total, picks, best = np.zeros(len(outcome)), list[int](), (np.inf, 0)
    for number in range(1, max_picks + 1):
        losses = [float(log_losses(outcome, expit((total + each) / number)).mean()) for each in said]
        place = int(np.argmin(losses))
        picks.append(place)
        total = total + said[place]
        best = min(best, (losses[place], number))
    picks = picks[: best[1]]
    places = sorted(set(picks), key=lambda place: (-picks.count(place), picks.index(place)))
    weights = [picks.count(place) / len(picks) for place in places]
    if len(places) == 1:
        return Mean(places, weights, candidates[places[0]])
    return Mean(places, weights, expit(np.average([said[place] for place in places], axis=0, weights=weights)))


def describe_members(members: Sequence[Mapping[str, Any]], weights: Sequence[float]) -> dict[str, object]:
    """Return the parameters of a mean, for people and for trackers: a line for each member.

    Parameters
    ----------
    members : sequence of dict
    weights : sequence of float

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> describe_members([{"logreg__C": 0.1}, {"logreg__C": 1.0, "features__trees": 0}], [0.75, 0.25])
    {'member_1': '0.75 of logreg__C=0.1', 'member_2': '0.25 of logreg__C=1.0, features__trees=0'}
    """
    return {
        f"member_{number}": f"{weight:.3g} of {', '.join(f'{name}={value}' for name, value in member.items())}"
        for number, (member, weight) in enumerate(zip(members, weights, strict=True), start=1)
    }


def tries_mean(params: TuningParams, form: Form) -> bool:
    """Return whether a search tries the mean: it is chosen by log loss, among candidates that were asked about everybody.

    Parameters
    ----------
    params : TuningParams
    form : {"terms", "plain", "deep"}

    Returns
    -------
    bool
    """
    own = params.grid is None and form == "terms"
    return params.mean and own and params.scoring == "neg_log_loss" and params.search != "halving"


def consider_mean(found: Tuned, simple: Tuned, task: SearchTask, tried: list[Candidate]) -> Tuned:
    """Return the mean of several candidates if its log loss is lower than that of each single one, else what was found.

    Parameters
    ----------
    found, simple : Tuned
        The best single candidate, and the best of those without a sum of boosted trees.
    task : SearchTask
        With the customers that each was fitted on.
    tried : list of Candidate
        All of them.

    Returns
    -------
    Tuned
    """
    train, outcome = task.train, task.train.outcome.to_numpy()
    mean = choose_mean(outcome, [candidate.out_of_fold for candidate in tried])
    members = [tried[place].params for place in mean.places]
    if members in ([simple.best], [found.best]):
        return found
    made, best, candidates = task.unfitted(members[0]), members[0], found.candidates
    if len(members) > 1:
        made = MeanOfModels(clone(task.pipeline).steps, members, mean.weights)
        best = describe_members(members, mean.weights)
        candidates = candidates.assign(weight=_weights(candidates, members, mean.weights))
    losses = log_losses(outcome, mean.out_of_fold)
    return replace(
        found,
        pipeline=made.fit(train.features[task.features], train.outcome, **known_customers(task.pipeline, train)),
        best=best,
        score=float(np.mean([-losses[asked].mean() for _, asked in task.all_folds()])),
        candidates=candidates,
        out_of_fold=mean.out_of_fold,
    )


def _weights(candidates: pd.DataFrame, members: list[dict[str, Any]], weights: list[float]) -> list[float]:
    """Return the weight of each candidate in a mean."""
    named = candidates.filter(regex="^param_").rename(columns=lambda name: name.removeprefix("param_"))
    of = [{name: value for name, value in row.items() if not pd.isna(value)} for row in named.to_dict("records")]
    return [sum(weight for member, weight in zip(members, weights, strict=True) if member == chosen) for chosen in of]
