from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import expected_scores, tune

FEATURES = ["a", "b"]


def customers(rows: int = 300, *, signal: float = 1.5, seed: int = 0) -> Labelled:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(5, 2, rows), "b": rng.normal(size=rows), "name": "x"})
    p = 1 / (1 + np.exp(-(signal * (frame["a"] - 5) / 2 - 1)))
    return Labelled(frame, pd.Series((rng.random(rows) < p).astype(np.int64)))


SMALL = TuningParams(folds=3, grid={"logreg__C": [0.001, 0.1, 1.0]})


def test_every_candidate_is_tried_and_ranked() -> None:
    params = TuningParams(folds=3)
    tuned = tune(build_pipeline(1), customers(150), FEATURES, params, seed=1)
    tried = tuned.candidates[["param_logreg__solver", "param_logreg__C"]].apply(tuple, axis=1)
    wanted = [(c["logreg__solver"], c["logreg__C"]) for c in ParameterGrid(params.grid_for("plain"))]
    assert sorted(tried) == sorted(wanted)
    assert tuned.candidates["rank_test_score"].is_monotonic_increasing
    assert tuned.candidates["mean_test_score"].iloc[0] == tuned.score == tuned.candidates["mean_test_score"].max()


def test_the_best_is_refitted_on_everybody_and_reads_its_features_only() -> None:
    known = customers()
    tuned = tune(build_pipeline(1), known, FEATURES, SMALL, seed=1)
    again = clone(build_pipeline(1)).set_params(**tuned.best).fit(known.features[FEATURES], known.outcome)
    assert tuned.pipeline.get_params()["logreg__C"] == tuned.best["logreg__C"]
    assert tuned.pipeline["scaler"].n_samples_seen_ == len(known)
    assert tuned.pipeline.feature_names_in_.tolist() == FEATURES
    assert np.array_equal(tuned.pipeline["logreg"].coef_, again["logreg"].coef_)


def test_the_best_is_the_one_with_the_best_mean_over_the_folds() -> None:
    known = customers()
    tuned = tune(build_pipeline(1), known, FEATURES, SMALL, seed=1)
    means = {}
    for c in SMALL.grid[0]["logreg__C"]:
        scores = []
        for rows, others in StratifiedKFold(3, shuffle=True, random_state=1).split(known.features, known.outcome):
            x, y = known.features[FEATURES], known.outcome
            fitted = clone(build_pipeline(1)).set_params(logreg__C=c).fit(x.iloc[rows], y.iloc[rows])
            scores.append(-log_loss(y.iloc[others], fitted.predict_proba(x.iloc[others])[:, 1]))
        means[c] = np.mean(scores)
    assert tuned.best["logreg__C"] == max(means, key=lambda c: means[c])
    assert tuned.score == pytest.approx(max(means.values()), abs=1e-9)


def test_out_of_fold_is_by_a_model_that_had_not_seen_the_customer() -> None:
    known = customers()
    tuned = tune(build_pipeline(1), known, FEATURES, SMALL, seed=1)
    expected = np.full(len(known), np.nan)
    for rows, others in StratifiedKFold(3, shuffle=True, random_state=1).split(known.features, known.outcome):
        x, y = known.features[FEATURES], known.outcome
        fitted = clone(build_pipeline(1)).set_params(**tuned.best).fit(x.iloc[rows], y.iloc[rows])
        expected[others] = fitted.predict_proba(x.iloc[others])[:, 1]
    assert np.allclose(tuned.out_of_fold, expected, rtol=0, atol=1e-12)


def test_a_model_that_learns_by_heart_gains_nothing_out_of_fold() -> None:
    noise = customers(600, signal=0.0)
    memory = Pipeline([("tree", DecisionTreeClassifier(random_state=0))])
    tuned = tune(memory, noise, FEATURES, TuningParams(folds=3, grid={"tree__max_depth": [None]}), seed=1)
    by_heart = tuned.pipeline.predict_proba(noise.features[FEATURES])[:, 1]
    assert roc_auc_score(noise.outcome, by_heart) == 1.0
    assert roc_auc_score(noise.outcome, tuned.out_of_fold) == pytest.approx(0.5, abs=0.08)


def test_the_folds_follow_the_seed() -> None:
    known = customers()
    first, same, other = (tune(build_pipeline(1), known, FEATURES, SMALL, seed=seed).out_of_fold for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_the_scoring_is_the_one_that_was_asked_for() -> None:
    params = SMALL.model_copy(update={"scoring": "roc_auc"})
    assert 0.5 < tune(build_pipeline(1), customers(), FEATURES, params, seed=1).score <= 1
    assert tune(build_pipeline(1), customers(), FEATURES, SMALL, seed=1).score < 0


def test_the_pipeline_that_was_given_stays_unfitted() -> None:
    given = build_pipeline(1)
    tune(given, customers(), FEATURES, SMALL, seed=1)
    assert not hasattr(given["logreg"], "coef_")


@pytest.mark.parametrize(
    ("grid", "named"), [({"logreg__c": [1.0]}, "logreg__c"), ({"logreg__solver": ["magic"]}, "magic"), ({"logreg__C": [-1]}, "C")]
)
def test_a_grid_the_pipeline_does_not_know_is_an_input_error(grid: dict[str, list[object]], named: str) -> None:
    with pytest.raises(InputError, match=rf"tuning\.grid: .*{named}"):
        tune(build_pipeline(1), customers(), FEATURES, TuningParams(folds=2, grid=grid), seed=1)


def searched(**params: object) -> TuningParams:
    return TuningParams.model_validate({"folds": 3, "grid": {"logreg__C": {"loguniform": [0.001, 10]}}, **params})


@pytest.mark.parametrize("search", ["random", "halving"])
def test_what_is_drawn_follows_the_seed_and_lies_where_it_should(search: str) -> None:
    params = searched(search=search, candidates=6)
    first, same, other = (tune(build_pipeline(1), customers(), FEATURES, params, seed=seed) for seed in (1, 1, 2))
    assert first.best == same.best
    assert np.array_equal(first.out_of_fold, same.out_of_fold)
    drawn = first.candidates["param_logreg__C"]
    assert drawn.between(0.001, 10).all()
    assert drawn.nunique() == 6
    assert set(drawn).isdisjoint(other.candidates["param_logreg__C"])
    assert type(first.best["logreg__C"]) is float
    assert type(first.pipeline["logreg"].C) is float


def test_halving_gives_more_customers_to_fewer_candidates() -> None:
    tuned = tune(build_pipeline(1), customers(), FEATURES, searched(search="halving", candidates=9), seed=1)
    # 9, then 3, then 1: the one that is left is the best.
    assert len(tuned.candidates) == 9 + 3 + 1
    assert tuned.pipeline["scaler"].n_samples_seen_ == 300


def test_no_more_is_drawn_than_there_is() -> None:
    params = searched(search="random", candidates=50, grid={"logreg__C": [0.1, 1.0]})
    assert len(tune(build_pipeline(1), customers(), FEATURES, params, seed=1).candidates) == 2


@pytest.mark.parametrize("params", [SMALL, searched(search="random", candidates=4)])
def test_progress_is_told_up_to_the_number_announced(params: TuningParams) -> None:
    told: list[int] = []
    tune(build_pipeline(1), customers(), FEATURES, params, seed=1, on_score=told.append)
    assert told == list(range(1, expected_scores(params, "plain") + 1))


def test_how_long_halving_takes_is_not_announced() -> None:
    assert expected_scores(searched(search="halving"), "plain") is None


def test_all_rows_of_a_customer_are_in_one_fold() -> None:
    """A nearest neighbour finds itself where the same customer is in another fold: its own outcome, whatever that is."""
    rng = np.random.default_rng(2)
    features = pd.DataFrame({"x": np.repeat(rng.normal(size=200), 5)})
    outcome = pd.Series(np.repeat(rng.integers(0, 2, 200), 5))
    params = TuningParams(grid={"neighbours__n_neighbors": [5]}, folds=4, scoring="roc_auc")
    scores = {}
    for name, customer in (("rows", None), ("customers", np.repeat(np.arange(200), 5))):
        pipeline = Pipeline([("neighbours", KNeighborsClassifier())])
        known = Labelled(features, outcome, customer=customer)
        scores[name] = tune(pipeline, known, ["x"], params, seed=1).score
    assert scores["rows"] > 0.9
    assert scores["customers"] < 0.6
