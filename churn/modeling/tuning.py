"""Search parameters by cross-validation, refit the best, and predict each training customer out of fold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from churn.config.params import BESIDE_RULES, Form, Grid, TuningParams
from churn.data.labelled import Labelled
from churn.data.many_rows import (
    MAX_FITTED,
    MAX_SEARCHED,
    count_folds,
    draw_rows,
    predict_in_blocks,
    restore_churn_rate,
    rows_within,
)
from churn.errors import InputError
from churn.modeling.folds import folds_of, make_folds
from churn.modeling.search.candidates import CountingScorer, OnScore, Scored, searcher
from churn.modeling.search.choice import measure_gain, measure_ranking
from churn.modeling.search.mean import Candidate, consider_mean, tries_mean
from churn.modeling.search.reductions import MAX_COMPARED, count_scored, describe_reductions
from churn.modeling.search.task import Asked, Folds, SearchTask
from churn.modeling.search.tuned import Tuned, known_customers

__all__ = ["Tuned", "tune"]

Floats = NDArray[np.float64]


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
    sample if there are many customers. The best of these is taken if its log loss is lower. If it is not and the candidate has
    rules, a sum beside them is taken if it ranks better by more than one standard error, paired by customer, and its log loss is
    not higher by more (`churn.modeling.search.choice`). Of at most `MAX_COMPARED` customers, all of them searched, the mean of
    several candidates is taken if its log loss is lower (`churn.modeling.search.mean`).

    Of very many customers a sample is searched, and a larger one fitted (`churn.data.many_rows`). Scores are those of the sample:
    where hardly anybody leaves, it has more leavers than all have.

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
    whole = SearchTask(pipeline, train, features, params.folds, seed)
    task = whole.sample(rows_within(MAX_SEARCHED, len(features)))
    mean = tries_mean(params, form) and len(train) <= MAX_COMPARED and task is whole
    few = count_scored(params.folds, len(train), len(features))
    scoring = CountingScorer(params.scoring, on_score)
    simple, tried = _search(task, grids, params, scoring, params.folds if mean else few, each=mean)
    found = simple
    if boosted:
        found, further = _consider_boosted(task, simple, boosted, scoring, few)
        tried += further
    if mean:
        found = consider_mean(found, simple, task, tried)
    if task is not whole:
        found = _fit_many(whole, found)
    return replace(found, reduced=describe_reductions(found.pipeline, len(train), len(features), params.folds))


def _search(
    task: SearchTask, grids: list[Grid], params: TuningParams, scoring: CountingScorer, few: int, *, each: bool
) -> tuple[Tuned, list[Candidate]]:
    """Search the grids with the first few folds (a halving search: with all).

    Returns
    -------
    Tuned
        The best, fitted on all customers of the task.
    list of Candidate
        All that were tried, with what each says of all customers; none where nobody knows it, unless `each` asks for it.
    """
    train, halving = task.train, params.search == "halving"
    partly = few < task.folds and not halving
    folds = task.all_folds()[:few] if partly else make_folds(train, task.folds, task.seed)
    search = searcher(task.pipeline, grids, params, task.seed)(scoring=scoring, cv=folds, error_score="raise")
    # Where customers have places among the folds, a customer's rows are together already, and scikit-learn warns of groups.
    groups = train.customer if train.fold is None else None
    try:
        search.fit(train.features[task.features], train.outcome, groups=groups, **known_customers(task.pipeline, train))
    except InvalidParameterError as error:
        raise InputError(f"tuning.grid: {error}") from error
    # A drawn value is a NumPy scalar, which the artifact would have to trust as one more type.
    chosen = {name: value.item() if isinstance(value, np.generic) else value for name, value in search.best_params_.items()}
    results, parameters = pd.DataFrame(search.cv_results_), search.cv_results_["params"]
    splits = [f"split{number}_test_score" for number in range(search.n_splits_)]
    tried: list[Candidate] = []
    if not halving and not partly:  # whose candidates were asked about parts of the customers
        tried = _kept(scoring.scored, parameters, results[splits].to_numpy(), task.all_folds())
    if each and not tried:
        tried = [Candidate(values, task.ask(values).out_of_fold) for values in parameters]
    columns = [c for c in map(str, results) if c.startswith("param_")] + ["mean_test_score", "std_test_score", "rank_test_score"]
    ranked = results.sort_values("rank_test_score", kind="stable")
    best = Tuned(
        pipeline=search.best_estimator_.set_params(**chosen),
        best=chosen,
        score=float(search.best_score_),
        candidates=ranked[columns].reset_index(drop=True),
        out_of_fold=tried[search.best_index_].out_of_fold if tried else task.ask(chosen).out_of_fold,
        fold_scores=ranked[splits].to_numpy(dtype=np.float64),
    )
    return best, tried


def _kept(scored: list[Scored], tried: list[dict[str, Any]], scores: Floats, folds: Folds) -> list[Candidate]:
    """Return each candidate of a search by what the scorer kept; none if they were not scored here, one after the other."""
    if [one.score for one in scored] != scores.ravel().tolist():
        return []
    rows = np.concatenate([asked for _, asked in folds])
    found = []
    for number, chosen in enumerate(tried):
        out_of_fold = np.empty(len(rows))
        out_of_fold[rows] = np.concatenate([one.probability for one in scored[number * len(folds) : (number + 1) * len(folds)]])
        found.append(Candidate(chosen, out_of_fold))
    return found


def _fit_many(whole: SearchTask, found: Tuned) -> Tuned:
    """Fit what a sample was searched for on more customers, and predict all of them out of fold."""
    train, features = whole.train, whole.features
    outcome = train.outcome.to_numpy()

    def fitted(rows: NDArray[np.int64]) -> Pipeline:
        part = train.take(draw_rows(rows, rows_within(MAX_FITTED, len(features)), outcome, whole.seed))
        made = clone(found.pipeline).fit(part.features[features], part.outcome, **known_customers(found.pipeline, part))
        return restore_churn_rate(made, part.outcome.to_numpy(), outcome[rows])

    x, out_of_fold = train.features[features], np.empty(len(train))
    for learned, asked in folds_of(train, count_folds(outcome, whole.folds, len(features)), whole.seed):
        out_of_fold[asked] = predict_in_blocks(fitted(learned), x.iloc[asked])
    return replace(found, pipeline=fitted(np.arange(len(train))), out_of_fold=out_of_fold)


def _consider_boosted(
    task: SearchTask, simple: Tuned, boosted: list[dict[str, Any]], scoring: CountingScorer, few: int
) -> tuple[Tuned, list[Candidate]]:
    """Hold candidates with sums of boosted trees against the simple one, on a sample if there are many customers.

    Returns
    -------
    Tuned
        The best of them if it pays, else the simple one; with the scores of all.
    list of Candidate
        What they say of all customers, where that is known: each, or the best one where they are scored on a few of the folds.
    """
    compared = task.sample(MAX_COMPARED)
    so_far = simple.out_of_fold if compared is task else compared.ask(simple.best, few).out_of_fold
    rows = np.sort(np.concatenate([asked for _, asked in compared.all_folds()[:few]]))
    outcome, customer = compared.train.outcome.to_numpy()[rows], compared.train.customer
    candidates: list[dict[str, Any]] = []
    said: list[Asked] = []

    def ask(chosen: dict[str, Any]) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.int64] | None]:
        candidates.append(chosen)
        said.append(compared.ask(chosen, few, scoring))
        return outcome, so_far[rows], said[-1].out_of_fold[rows], None if customer is None else customer[rows]

    gains = []
    for chosen in boosted:
        gains.append(measure_gain(*ask(chosen)))
        if gains[0].costs:
            break  # the others would not make good for that
    best = int(np.argmax([gain.mean for gain in gains]))
    pays = gains[best].mean > 0
    if not pays and simple.best.get("features__trees"):
        against = ask(simple.best | BESIDE_RULES)
        pays, best = not measure_gain(*against).costs and measure_ranking(*against).pays, len(said) - 1
    everybody = few == task.folds
    known = [Candidate(chosen, one.out_of_fold) for chosen, one in zip(candidates, said, strict=True)] if everybody else []
    found = _with_further(simple if everybody else _of_first_folds(simple, few), candidates, said)
    if not pays:
        return found, known
    out_of_fold = said[best].out_of_fold
    if compared is not task or not everybody:
        out_of_fold = task.ask(candidates[best]).out_of_fold
    if not everybody:
        known = [Candidate(candidates[best], out_of_fold)]
    score = float(said[best].scores.mean())
    return replace(
        found, pipeline=task.fitted(candidates[best]), best=candidates[best], score=score, out_of_fold=out_of_fold
    ), known


def _with_further(tuned: Tuned, candidates: list[dict[str, Any]], said: list[Asked]) -> Tuned:
    """Return a search with the scores of further candidates among its own."""
    further = pd.DataFrame([{f"param_{name}": value for name, value in chosen.items()} for chosen in candidates])
    further["mean_test_score"] = [one.scores.mean() for one in said]
    further["std_test_score"] = [one.scores.std() for one in said]
    every = pd.concat([tuned.candidates, further], ignore_index=True)
    places = every["mean_test_score"].rank(ascending=False, method="min")
    every["rank_test_score"] = places.astype(tuned.candidates["rank_test_score"].dtype)
    order = every["rank_test_score"].sort_values(kind="stable").index
    return replace(
        tuned,
        candidates=every.loc[order].reset_index(drop=True),
        fold_scores=np.vstack([tuned.fold_scores, *(one.scores for one in said)])[order],
    )


def _of_first_folds(tuned: Tuned, few: int) -> Tuned:
    """Return a search with the scores that its candidates have in the first folds, to be held against others' in these."""
    scores = tuned.fold_scores[:, :few]
    told = tuned.candidates.assign(mean_test_score=scores.mean(axis=1), std_test_score=scores.std(axis=1))
    return replace(tuned, candidates=told, fold_scores=scores)
