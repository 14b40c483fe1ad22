from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

import churn.config.params as params_module
import churn.modeling.features as features_module
import churn.modeling.tuning as tuning_module
from churn.config.params import Form, TuningParams
from churn.data import many_rows
from churn.data.labelled import Labelled
from churn.data.many_rows import draw_rows, restore_churn_rate
from churn.errors import InputError
from churn.modeling.folds import folds_of
from churn.modeling.model import build_pipeline
from churn.modeling.search.candidates import expected_scores
from churn.modeling.search.choice import Gain
from churn.modeling.tuning import Tuned, tune
from churn.registry.serialization import dump_pipeline

FEATURES = ["a", "b"]


def customers(rows: int = 300, *, signal: float = 1.5, seed: int = 0) -> Labelled:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(5, 2, rows), "b": rng.normal(size=rows), "name": "x"})
    p = 1 / (1 + np.exp(-(signal * (frame["a"] - 5) / 2 - 1)))
    return Labelled(frame, pd.Series((rng.random(rows) < p).astype(np.int64)))


SMALL = TuningParams(folds=3, grid={"logreg__C": [0.001, 0.1, 1.0]})


@pytest.fixture(scope="module")
def small() -> Tuned:
    """The small search on the customers, seed 1: what it gives is looked at from several sides."""
    return tune(build_pipeline(1), customers(), FEATURES, SMALL, seed=1)


def test_every_candidate_is_tried_and_ranked() -> None:
    params = TuningParams(folds=2)
    tuned = tune(build_pipeline(1), customers(100), FEATURES, params, seed=1)
    tried = tuned.candidates[["param_logreg__solver", "param_logreg__C"]].apply(tuple, axis=1)
    wanted = [(c["logreg__solver"], c["logreg__C"]) for c in ParameterGrid(params.grid_for("plain"))]
    assert sorted(tried) == sorted(wanted)
    assert tuned.candidates["rank_test_score"].is_monotonic_increasing
    assert tuned.candidates["mean_test_score"].iloc[0] == tuned.score == tuned.candidates["mean_test_score"].max()


def test_the_best_is_refitted_on_everybody_and_reads_its_features_only(small: Tuned) -> None:
    known = customers()
    again = clone(build_pipeline(1)).set_params(**small.best).fit(known.features[FEATURES], known.outcome)
    assert small.pipeline.get_params()["logreg__C"] == small.best["logreg__C"]
    assert small.pipeline["scaler"].n_samples_seen_ == len(known)
    assert small.pipeline.feature_names_in_.tolist() == FEATURES
    assert np.array_equal(small.pipeline["logreg"].coef_, again["logreg"].coef_)


def test_the_best_is_the_one_with_the_best_mean_over_the_folds(small: Tuned) -> None:
    known = customers()
    means = {}
    for c in SMALL.grid[0]["logreg__C"]:
        scores = []
        for rows, others in StratifiedKFold(3, shuffle=True, random_state=1).split(known.features, known.outcome):
            x, y = known.features[FEATURES], known.outcome
            fitted = clone(build_pipeline(1)).set_params(logreg__C=c).fit(x.iloc[rows], y.iloc[rows])
            scores.append(-log_loss(y.iloc[others], fitted.predict_proba(x.iloc[others])[:, 1]))
        means[c] = np.mean(scores)
    assert small.best["logreg__C"] == max(means, key=lambda c: means[c])
    assert small.score == pytest.approx(max(means.values()), abs=1e-9)


def test_out_of_fold_is_by_a_model_that_had_not_seen_the_customer(small: Tuned) -> None:
    known = customers()
    expected = np.full(len(known), np.nan)
    for rows, others in StratifiedKFold(3, shuffle=True, random_state=1).split(known.features, known.outcome):
        x, y = known.features[FEATURES], known.outcome
        fitted = clone(build_pipeline(1)).set_params(**small.best).fit(x.iloc[rows], y.iloc[rows])
        expected[others] = fitted.predict_proba(x.iloc[others])[:, 1]
    assert np.allclose(small.out_of_fold, expected, rtol=0, atol=1e-12)


def test_a_model_that_learns_by_heart_gains_nothing_out_of_fold() -> None:
    noise = customers(600, signal=0.0)
    memory = Pipeline([("tree", DecisionTreeClassifier(random_state=0))])
    tuned = tune(memory, noise, FEATURES, TuningParams(folds=3, grid={"tree__max_depth": [None]}), seed=1)
    by_heart = tuned.pipeline.predict_proba(noise.features[FEATURES])[:, 1]
    assert roc_auc_score(noise.outcome, by_heart) == 1.0
    assert roc_auc_score(noise.outcome, tuned.out_of_fold) == pytest.approx(0.5, abs=0.08)


def test_the_folds_follow_the_seed(small: Tuned) -> None:
    same, other = (tune(build_pipeline(1), customers(), FEATURES, SMALL, seed=seed).out_of_fold for seed in (1, 2))
    assert np.array_equal(small.out_of_fold, same)
    assert not np.array_equal(same, other)


def test_the_scoring_is_the_one_that_was_asked_for(small: Tuned) -> None:
    params = SMALL.model_copy(update={"scoring": "roc_auc"})
    assert 0.5 < tune(build_pipeline(1), customers(), FEATURES, params, seed=1).score <= 1
    assert small.score < 0


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
    params = searched(search=search, candidates=6, folds=2)
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


# The sum of a small boosting


GRID = [{"features__trees": [0], "features__knots": [0], "features__boosted": [15], "features__leaves": [4, 8]}]
SIMPLE = [{"features__trees": [0], "features__knots": [0], "logreg__C": [0.1, 1.0]}]


def tune_terms(
    known: Labelled,
    monkeypatch: pytest.MonkeyPatch,
    *,
    boosted: bool = True,
    mean: bool = False,
    grid: list[Any] = SIMPLE,
    **further: Any,
) -> Tuned:
    monkeypatch.setitem(params_module.GRIDS, "terms", grid)
    monkeypatch.setattr(params_module, "BOOSTED_GRID", GRID)
    params = TuningParams(folds=2, boosted=boosted, mean=mean)
    return tune(build_pipeline(1, form="terms"), known, FEATURES, params, seed=1, form="terms", **further)


def bent(rows: int = 600, seed: int = 0) -> Labelled:
    """Churn follows a combination that no line says."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})
    p = 1 / (1 + np.exp(-4 * np.sign(frame["a"] * frame["b"])))
    return Labelled(frame, pd.Series((rng.random(rows) < p).astype(np.int64)))


def test_the_boosted_sum_is_taken_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    known = bent()
    found = tune_terms(known, monkeypatch)
    without = tune_terms(known, monkeypatch, boosted=False)
    assert found.best["features__boosted"] == 15
    assert len(found.pipeline["features"].nodes_) > 0
    assert log_loss(known.outcome, found.out_of_fold) < log_loss(known.outcome, without.out_of_fold) - 0.1
    assert found.score == pytest.approx(found.candidates["mean_test_score"].iloc[0])
    assert len(found.candidates) == len(found.fold_scores) == 4
    assert found.fold_scores.mean(axis=1) == pytest.approx(found.candidates["mean_test_score"])
    assert found.candidates["rank_test_score"].tolist() == [1, 2, 3, 4]


def test_the_same_customers_and_seed_give_the_same_boosted_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = (tune_terms(bent(200), monkeypatch) for _ in range(2))
    assert len(first.pipeline["features"].nodes_) > 0
    assert np.array_equal(again.out_of_fold, first.out_of_fold)
    assert np.array_equal(again.pipeline["logreg"].coef_, first.pipeline["logreg"].coef_)


def test_where_it_does_not_pay_the_model_is_what_it_is_without(monkeypatch: pytest.MonkeyPatch) -> None:
    known = customers(200, seed=2)
    found, without = tune_terms(known, monkeypatch), tune_terms(known, monkeypatch, boosted=False)
    assert (found.best, found.score) == (without.best, without.score)
    assert "features__boosted" not in found.best
    assert np.array_equal(found.out_of_fold, without.out_of_fold)
    assert dump_pipeline(found.pipeline) == dump_pipeline(without.pipeline)
    assert len(found.candidates) > 2, "what was tried is told"


@pytest.mark.parametrize(("gain", "taken"), [(-0.001, False), (0.0, False), (0.001, True)])
def test_any_gain_is_taken(gain: float, taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *_: Gain(gain, 0.01))
    assert ("features__boosted" in tune_terms(customers(), monkeypatch).best) is taken


def test_it_is_tried_beside_the_forms_own_grid_only() -> None:
    assert TuningParams().boosted_grid_for("terms")
    for params, form in (
        (TuningParams(), "plain"),
        (TuningParams(boosted=False), "terms"),
        (TuningParams(grid={"logreg__C": [1.0]}), "terms"),
    ):
        assert params.boosted_grid_for(form) == []


def test_its_scores_are_expected_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    tune_terms(bent(200), monkeypatch, on_score=told.append)
    # One more beside rules, if these are the best.
    assert expected_scores(TuningParams(folds=2), "terms") == 8 + 2
    assert told == list(range(1, 9))


@pytest.mark.parametrize(("gain", "tried"), [(-0.011, 1), (-0.009, 2), (0.02, 2)])
def test_larger_ones_are_not_tried_where_a_small_one_is_worse(gain: float, tried: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *_: Gain(gain, 0.01))
    found = tune_terms(customers(), monkeypatch)
    assert len(found.candidates) == len(found.fold_scores) == 2 + tried
    assert ("features__boosted" in found.best) is (gain > 0)


def test_only_the_first_one_tells_that_the_others_are_worse_too(monkeypatch: pytest.MonkeyPatch) -> None:
    gains = iter([Gain(-0.009, 0.01), Gain(-0.011, 0.01), Gain(0.001, 0.01)])
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *_: next(gains))
    three = [{"features__trees": [0], "features__knots": [0], "features__boosted": [5], "features__leaves": [2, 3, 4]}]
    monkeypatch.setitem(params_module.GRIDS, "terms", [{"features__trees": [0], "features__knots": [0], "logreg__C": [1.0]}])
    monkeypatch.setattr(params_module, "BOOSTED_GRID", three)
    known = customers()
    found = tune(build_pipeline(1, form="terms"), known, FEATURES, TuningParams(folds=2, mean=False), seed=1, form="terms")
    assert len(found.candidates) == 1 + 3
    assert found.best["features__leaves"] == 4


@pytest.mark.parametrize(
    ("loss", "ranking", "taken"),
    [
        (Gain(-0.009, 0.01), Gain(0.02, 0.01), True),
        (Gain(-0.001, 0.01), Gain(0.02, 0.01), True),
        (Gain(-0.011, 0.01), Gain(0.02, 0.01), False),
        (Gain(-0.001, 0.01), Gain(0.009, 0.01), False),
    ],
)
def test_beside_rules_it_is_taken_where_it_ranks_better_and_fits_no_worse(
    loss: Gain, ranking: Gain, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *_: loss)
    monkeypatch.setattr(tuning_module, "measure_ranking", lambda *_: ranking)
    monkeypatch.setattr(tuning_module, "BESIDE_RULES", {"features__boosted": 5, "features__leaves": 3})
    rules = [{"features__trees": [20], "features__knots": [0], "features__strictness": [0.3], "logreg__C": [0.1, 1.0]}]
    known = bent(300)
    found = tune_terms(known, monkeypatch, grid=rules)
    assert found.best["features__trees"] == 20
    assert found.best.get("features__boosted") == (5 if taken else None)
    assert len(found.candidates) == len(found.fold_scores) == 2 + (1 if loss.costs else 2) + 1
    step = found.pipeline["features"]
    assert len(step.terms.rules) > 0
    assert (len(step.nodes_) > 0) is taken
    assert found.score == pytest.approx(-log_loss(known.outcome, found.out_of_fold), abs=1e-9)


def test_beside_lines_alone_no_further_sum_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *_: Gain(0.0, 0.01))
    monkeypatch.setattr(tuning_module, "measure_ranking", lambda *_: pytest.fail("there are no rules"))
    assert "features__boosted" not in tune_terms(customers(), monkeypatch).best


def test_rows_of_a_customer_stay_together_when_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    known = bent(200)
    often = np.repeat(np.arange(200), 3)
    many = Labelled(
        known.features.iloc[often].reset_index(drop=True), known.outcome.iloc[often].reset_index(drop=True), customer=often
    )
    told = []
    gain = tuning_module.measure_gain
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *given: told.append(given[3]) or gain(*given))
    asked = []
    cross_fit = features_module.cross_fit
    monkeypatch.setattr(
        features_module, "cross_fit", lambda *given, **settings: asked.append(given[2]) or cross_fit(*given, **settings)
    )
    tune_terms(many, monkeypatch)
    assert all(np.array_equal(who, often) for who in told)
    assert all(who is not None and (np.bincount(who)[np.unique(who)] == 3).all() for who in asked)


@pytest.mark.parametrize("mean", [False, True])
def test_with_many_cells_two_folds_decide_and_everybody_is_predicted(mean: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """So far the number of fits grows with folds times candidates; the mean needs candidates that were asked about everybody."""
    known, scores = bent(500), list[int]()
    monkeypatch.setitem(params_module.GRIDS, "terms", SIMPLE)
    monkeypatch.setattr(params_module, "BOOSTED_GRID", GRID)
    params, pipeline = TuningParams(folds=5, mean=mean), build_pipeline(1, form="terms")
    grid, further = len(ParameterGrid(SIMPLE)), len(ParameterGrid(GRID))
    monkeypatch.setattr(many_rows, "MAX_COLUMNS", 2)
    monkeypatch.setattr("churn.modeling.search.reductions.MAX_COMPARED", 500)
    given = pipeline, known, ["a", "b"], params, 1
    whole = tune(*given, form="terms", on_score=scores.append)
    assert len(scores) == 5 * (grid + further)
    assert (whole.reduced, whole.fold_scores.shape) == ((), (grid + further, 5))
    scores.clear()
    monkeypatch.setattr(many_rows, "MAX_COLUMNS", 1)
    monkeypatch.setattr(tuning_module, "MAX_COMPARED", 500 if mean else 499)
    found = tune(*given, form="terms", on_score=scores.append)
    assert len(scores) == (5 if mean else 2) * grid + 2 * further
    assert "candidates are compared on 2 of 5 folds" in found.reduced
    assert found.fold_scores.shape == (grid + further, 2)
    assert np.allclose(found.candidates["mean_test_score"], found.fold_scores.mean(axis=1))
    assert mean or found.best == whole.best, "what pays does so in two folds as well"
    again = clone(pipeline).set_params(**found.best)
    folds = folds_of(known, 5, 1)
    expected = np.empty(500)
    for learned, asked in folds:
        x = known.features.iloc[learned]
        expected[asked] = clone(again).fit(x, known.outcome.iloc[learned]).predict_proba(known.features.iloc[asked])[:, 1]
    assert np.allclose(found.out_of_fold, expected, rtol=0, atol=1e-12)


def test_of_many_customers_a_sample_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_module, "MAX_COMPARED", 250)
    known = bent(400)
    compared = []
    gain = tuning_module.measure_gain
    monkeypatch.setattr(tuning_module, "measure_gain", lambda *given: compared.append(len(given[0])) or gain(*given))
    found = tune_terms(known, monkeypatch)
    assert set(compared) == {250}
    assert found.best["features__boosted"] == 15
    assert len(found.out_of_fold) == 400
    assert roc_auc_score(known.outcome, found.out_of_fold) > 0.9
    keyed = Labelled(known.features, known.outcome, fold=np.random.default_rng(3).random(400))
    assert roc_auc_score(known.outcome, tune_terms(keyed, monkeypatch).out_of_fold) > 0.9


@pytest.mark.parametrize("folds", [2, 3])
def test_of_very_many_customers_a_sample_is_searched_and_a_larger_one_fitted(folds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_module, "MAX_SEARCHED", 200)
    monkeypatch.setattr(tuning_module, "MAX_FITTED", 300)
    monkeypatch.setattr(
        tuning_module, "count_folds", lambda outcome, most, _: folds if (len(outcome), most) == (900, SMALL.folds) else 0
    )
    plain = customers(900)
    known = Labelled(plain.features, plain.outcome, fold=np.random.default_rng(3).random(900))
    tuned = tune(build_pipeline(1), known, FEATURES, SMALL, seed=1)
    outcome = known.outcome.to_numpy()
    drawn = draw_rows(np.arange(900), 200, outcome, 1)
    searched = tune(build_pipeline(1), known.take(drawn), FEATURES, SMALL, seed=1)
    assert (tuned.best, tuned.score) == (searched.best, searched.score)
    assert tuned.candidates.equals(searched.candidates)
    rows = draw_rows(np.arange(900), 300, outcome, 1)
    x, y = known.features[FEATURES], known.outcome
    fitted = clone(build_pipeline(1)).set_params(**tuned.best).fit(x.iloc[rows], y.iloc[rows])
    assert np.array_equal(tuned.pipeline["logreg"].coef_, fitted["logreg"].coef_)
    for learned, asked in folds_of(known, folds, 1):
        rows = draw_rows(learned, 300, outcome, 1)
        others = restore_churn_rate(clone(fitted).fit(x.iloc[rows], y.iloc[rows]), outcome[rows], outcome[learned])
        assert np.allclose(tuned.out_of_fold[asked], others.predict_proba(x.iloc[asked])[:, 1], rtol=0, atol=1e-12)


def test_with_many_columns_a_search_and_its_fits_have_fewer_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is cells: with twice the columns half the rows, in each fit."""
    for name, most in (("MAX_SEARCHED", 200), ("MAX_FITTED", 300)):
        monkeypatch.setattr(tuning_module, name, most)
        monkeypatch.setattr(many_rows, name, most)
    known, rows = customers(900), []
    fit = Pipeline.fit
    monkeypatch.setattr(Pipeline, "fit", lambda self, x, *given, **more: rows.append(len(x)) or fit(self, x, *given, **more))
    tuned = tune(build_pipeline(1), known, FEATURES, SMALL, seed=1)
    assert (len(tuned.reduced), max(rows)) == (0, 300)
    for columns in (2, 1):
        rows.clear()
        monkeypatch.setattr(many_rows, "MAX_COLUMNS", columns)
        tune(build_pipeline(1), known, FEATURES, SMALL, seed=1)
        assert (len(FEATURES), max(rows)) == (2, 150 * columns)
        assert len(tuned.out_of_fold) == 900


@pytest.mark.parametrize("form", ["plain", "terms"])
def test_of_very_many_customers_hardly_anybody_leaves(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample by chance would hold none of them."""
    for name, most in (("MAX_SEARCHED", 300), ("MAX_FITTED", 400), ("MAX_COMPARED", 200)):
        monkeypatch.setattr(tuning_module, name, most)
    monkeypatch.setattr(many_rows, "MIN_CLASS", 30)
    rng = np.random.default_rng(5)
    x = pd.DataFrame(rng.normal(size=(20_000, 2)), columns=FEATURES)
    left = np.zeros(20_000, dtype=np.int64)
    left[np.argsort(x["a"] + rng.normal(size=20_000))[-12:]] = 1
    known = Labelled(x, pd.Series(left), fold=rng.random(20_000))
    params = TuningParams(folds=2, grid={"logreg__C": [1.0]})
    pipeline = build_pipeline(1, form=form)
    if form == "terms":
        pipeline.set_params(features__max_rows=150, features__trees=3, features__strictness=0.1, features__min_rows=5)
    tuned = tune(pipeline, known, FEATURES, params, seed=1, form=form)
    assert roc_auc_score(left, tuned.out_of_fold) > 0.7
    assert tuned.out_of_fold.mean() == pytest.approx(left.mean(), rel=0.7), "and not the churn rate of the sample: 50 times that"
    assert tuned.pipeline.predict_proba(x)[:, 1].mean() == pytest.approx(left.mean(), rel=0.7)


def test_rows_of_a_customer_stay_together_where_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learned by heart, rows of a customer whom the model saw would be told for certain."""
    monkeypatch.setattr(tuning_module, "MAX_SEARCHED", 200)
    noise = customers(300, signal=0.0)
    often = np.repeat(np.arange(300), 3)
    many = Labelled(
        noise.features.iloc[often].reset_index(drop=True), noise.outcome.iloc[often].reset_index(drop=True), customer=often
    )
    memory = Pipeline([("tree", DecisionTreeClassifier(random_state=0))])
    tuned = tune(memory, many, FEATURES, TuningParams(folds=3, grid={"tree__max_depth": [None]}), seed=1)
    assert roc_auc_score(many.outcome, tuned.out_of_fold) == pytest.approx(0.5, abs=0.08)
