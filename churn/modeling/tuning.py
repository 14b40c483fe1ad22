"""Search parameters by cross-validation, refit the best, and predict each training customer out of fold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, cross_val_predict, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import InvalidParameterError

from churn.config.params import BESIDE_RULES, Form, TuningParams
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
    not higher by more (`churn.modeling.search.choice`). Of at most `MAX_COMPARED` customers, the mean of several candidates is
    taken if its log loss is lower (`churn.modeling.search.mean`).

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
    searched = _sample(train, rows_within(MAX_SEARCHED, len(features)), seed)
    mean, few = tries_mean(params, form) and len(train) <= MAX_COMPARED, count_scored(params.folds, len(train), len(features))
    all_folds = folds = make_folds(searched, params.folds, seed)
    partly = few < params.folds and not mean and params.search != "halving"
    if partly:
        folds = folds_of(searched, params.folds, seed)[:few]
    # Where customers have places among the folds, a customer's rows are together already, and scikit-learn warns of groups.
    groups = searched.customer if searched.fold is None else None
    x = searched.features[features]
    known = known_customers(pipeline, searched)
    scoring = CountingScorer(params.scoring, on_score)
    search = searcher(pipeline, grids, params, seed)(scoring=scoring, cv=folds, error_score="raise")
    try:
        search.fit(x, searched.outcome, groups=groups, **known)
    except InvalidParameterError as error:
        raise InputError(f"tuning.grid: {error}") from error
    # A drawn value is a NumPy scalar, which the artifact would have to trust as one more type.
    chosen = {name: value.item() if isinstance(value, np.generic) else value for name, value in search.best_params_.items()}
    results = pd.DataFrame(search.cv_results_)
    columns = [c for c in map(str, results) if c.startswith("param_")] + ["mean_test_score", "std_test_score", "rank_test_score"]
    ranked = results.sort_values("rank_test_score", kind="stable")
    splits = [f"split{number}_test_score" for number in range(search.n_splits_)]
    parameters = search.cv_results_["params"]
    tried: list[Candidate] = []
    if params.search != "halving" and not partly:  # whose candidates were asked about parts of the customers
        tried = _kept(scoring.scored, parameters, results[splits].to_numpy(), folds_of(searched, params.folds, seed))
    if mean and not tried:
        asked = (clone(pipeline).set_params(**values) for values in parameters)
        again = [_score(candidate, searched, features, params.folds, seed, None, params.folds)[0] for candidate in asked]
        tried = [*map(Candidate, parameters, again)]
    if tried:
        out_of_fold = tried[search.best_index_].out_of_fold
    else:
        best = clone(pipeline).set_params(**chosen)
        out_of_fold = cross_val_predict(
            best, x, searched.outcome, groups=groups, cv=all_folds, method="predict_proba", params=known
        )
        out_of_fold = out_of_fold[:, 1]
    simple = found = Tuned(
        pipeline=search.best_estimator_.set_params(**chosen),
        best=chosen,
        score=float(search.best_score_),
        candidates=ranked[columns].reset_index(drop=True),
        out_of_fold=np.asarray(out_of_fold, dtype=np.float64),
        fold_scores=ranked[splits].to_numpy(dtype=np.float64),
    )
    if boosted:
        found = _consider_boosted(found, pipeline, boosted, searched, features, params.folds, seed, scoring, tried, few)
    if mean:
        found = consider_mean(found, simple, pipeline, tried, train, features, params.folds, seed)
    if searched is not train:
        found = _fit_many(found, train, features, params.folds, seed)
    return replace(found, reduced=describe_reductions(found.pipeline, len(train), len(features), params.folds))


def _kept(
    scored: list[Scored], tried: list[dict[str, Any]], scores: Floats, folds: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> list[Candidate]:
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


def _fit_many(found: Tuned, train: Labelled, features: list[str], folds: int, seed: int) -> Tuned:
    """Fit what a sample was searched for on more customers, and predict all of them out of fold."""
    outcome = train.outcome.to_numpy()

    def fitted(rows: NDArray[np.int64]) -> Pipeline:
        part = train.take(draw_rows(rows, rows_within(MAX_FITTED, len(features)), outcome, seed))
        made = clone(found.pipeline).fit(part.features[features], part.outcome, **known_customers(found.pipeline, part))
        return restore_churn_rate(made, part.outcome.to_numpy(), outcome[rows])

    x, out_of_fold = train.features[features], np.empty(len(train))
    for learned, asked in folds_of(train, count_folds(outcome, folds, len(features)), seed):
        out_of_fold[asked] = predict_in_blocks(fitted(learned), x.iloc[asked])
    return replace(found, pipeline=fitted(np.arange(len(train))), out_of_fold=out_of_fold)


def _sample(train: Labelled, max_rows: int, seed: int) -> Labelled:
    if len(train) <= max_rows:
        return train
    return train.take(draw_rows(np.arange(len(train)), max_rows, train.outcome.to_numpy(), seed))


def _consider_boosted(
    simple: Tuned,
    pipeline: Pipeline,
    candidates: list[dict[str, Any]],
    train: Labelled,
    features: list[str],
    folds: int,
    seed: int,
    scoring: CountingScorer,
    tried: list[Candidate],
    few: int,
) -> Tuned:
    """Return the best of further candidates if it pays, else the simple one; with the scores of all.

    Those that were asked about everybody are added to `tried`: all, or the best where they are scored on a few of the folds.
    """
    compared, so_far = train, simple.out_of_fold
    if len(train) > MAX_COMPARED:
        compared = _sample(train, MAX_COMPARED, seed)
        so_far, _ = _score(clone(pipeline).set_params(**simple.best), compared, features, folds, seed, None, few)
    asked = np.sort(np.concatenate([asked for _, asked in folds_of(compared, folds, seed)[:few]]))
    who = None if compared.customer is None else compared.customer[asked]
    outcome, scored, gains = compared.outcome.to_numpy()[asked], [], []
    for chosen in candidates:
        scored.append(_score(clone(pipeline).set_params(**chosen), compared, features, folds, seed, scoring, few))
        gains.append(measure_gain(outcome, so_far[asked], scored[-1][0][asked], who))
        if gains[0].costs:
            break  # the others would not make good for that
    candidates = candidates[: len(scored)]
    best = int(np.argmax([gain.mean for gain in gains]))
    pays = gains[best].mean > 0
    if not pays and simple.best.get("features__trees"):
        candidates.append(simple.best | BESIDE_RULES)
        scored.append(_score(clone(pipeline).set_params(**candidates[-1]), compared, features, folds, seed, scoring, few))
        compare = outcome, so_far[asked], scored[-1][0][asked], who
        pays, best = not measure_gain(*compare).costs and measure_ranking(*compare).pays, len(scored) - 1
    if few == folds:
        tried += [Candidate(chosen, said) for chosen, (said, _) in zip(candidates, scored, strict=True)]
    else:
        simple = _of_first_folds(simple, few)
    further = pd.DataFrame([{f"param_{name}": value for name, value in chosen.items()} for chosen in candidates])
    further["mean_test_score"] = [scores.mean() for _, scores in scored]
    further["std_test_score"] = [scores.std() for _, scores in scored]
    every = pd.concat([simple.candidates, further], ignore_index=True)
    places = every["mean_test_score"].rank(ascending=False, method="min")
    every["rank_test_score"] = places.astype(simple.candidates["rank_test_score"].dtype)
    order = every["rank_test_score"].sort_values(kind="stable").index
    both = replace(
        simple,
        candidates=every.loc[order].reset_index(drop=True),
        fold_scores=np.vstack([simple.fold_scores, *(scores for _, scores in scored)])[order],
    )
    if not pays:
        return both
    fitted = clone(pipeline).set_params(**candidates[best])
    fitted.fit(train.features[features], train.outcome, **known_customers(pipeline, train))
    out_of_fold, scores = scored[best]
    if compared is not train or few < folds:
        out_of_fold, _ = _score(clone(fitted), train, features, folds, seed, None, folds)
    if few < folds:
        tried.append(Candidate(candidates[best], out_of_fold))
    return replace(both, pipeline=fitted, best=candidates[best], score=float(scores.mean()), out_of_fold=out_of_fold)


def _of_first_folds(tuned: Tuned, few: int) -> Tuned:
    """Return a search with the scores that its candidates have in the first folds, to be held against others' in these."""
    scores = tuned.fold_scores[:, :few]
    told = tuned.candidates.assign(mean_test_score=scores.mean(axis=1), std_test_score=scores.std(axis=1))
    return replace(tuned, candidates=told, fold_scores=scores)


def _score(
    pipeline: Pipeline,
    train: Labelled,
    features: list[str],
    folds: int,
    seed: int,
    scoring: CountingScorer | None,
    few: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each customer of the first few folds by a pipeline of other folds, and the score in each fold."""
    x = train.features[features]
    done = cross_validate(
        pipeline,
        x,
        train.outcome,
        scoring=scoring,
        cv=folds_of(train, folds, seed)[:few],
        params=known_customers(pipeline, train),
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    out_of_fold = np.full(len(train), np.nan)
    for fitted, asked in zip(done["estimator"], done["indices"]["test"], strict=True):
        out_of_fold[asked] = fitted.predict_proba(x.iloc[asked])[:, 1]
    return out_of_fold, done["test_score"]
