"""Of which candidates the mean is taken, and what the search makes of it."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

import churn.config.params as params_module
import churn.modeling.tuning as tuning_module
from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.modeling.folds import folds_of
from churn.modeling.model import build_pipeline
from churn.modeling.search.candidates import CountingScorer, Scored, expected_scores
from churn.modeling.search.mean import choose_mean, tries_mean
from churn.modeling.search.mean_of_models import MeanOfModels
from churn.modeling.tuning import Tuned, tune

FEATURES = ["a", "b"]


def said(seed: int, count: int, rows: int = 80) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    outcome = rng.integers(0, 2, rows)
    return outcome, [expit(2 * outcome - 1 + rng.normal(0, 1.5, rows)) for _ in range(count)]


def mean_of(candidates: list[np.ndarray], picks: tuple[int, ...]) -> np.ndarray:
    return expit(np.mean([logit(candidates[place]) for place in picks], axis=0))


@pytest.mark.parametrize("seed", range(6))
def test_each_pick_is_what_helps_most_beside_those_before(seed: int) -> None:
    outcome, candidates = said(seed, 4)
    picks: tuple[int, ...] = ()
    path = []
    for _ in range(3):
        _, place = min((log_loss(outcome, mean_of(candidates, (*picks, place))), place) for place in range(4))
        picks = (*picks, place)
        path.append((log_loss(outcome, mean_of(candidates, picks)), picks))
    loss, best = min(path)
    found = choose_mean(outcome, candidates, 3)
    assert dict(zip(found.places, found.weights, strict=True)) == {place: best.count(place) / len(best) for place in best}
    assert found.weights == sorted(found.weights, reverse=True)
    assert log_loss(outcome, found.out_of_fold) == pytest.approx(loss, abs=1e-12)
    assert loss <= min(log_loss(outcome, one) for one in candidates)


def test_it_is_near_the_best_of_all_means_of_so_many() -> None:
    outcome, candidates = said(0, 3)
    best = min(
        log_loss(outcome, mean_of(candidates, picks))
        for number in range(1, 5)
        for picks in combinations_with_replacement(range(3), number)
    )
    assert log_loss(outcome, choose_mean(outcome, candidates).out_of_fold) < best + 0.01


def test_who_adds_nothing_is_no_member() -> None:
    outcome, [good, _] = said(1, 2)
    found = choose_mean(outcome, [np.full(80, 0.5), good, good])
    assert (found.places, found.weights) == ([1], [1.0])
    assert found.out_of_fold is good, "what one says is not rounded"


def test_one_that_is_wrongly_certain_does_no_infinite_harm() -> None:
    outcome, [good, other] = said(2, 2)
    certain = np.where(outcome == 1, 1.0, 0.0)
    certain[0] = 1 - certain[0]
    assert np.isfinite(choose_mean(outcome, [good, other, certain]).out_of_fold).all()


# The search

GRID = [{"features__trees": [0], "features__knots": [0], "logreg__C": [0.01, 1.0]}]
BOOSTED = [{"features__trees": [0], "features__knots": [3], "features__boosted": [8], "features__leaves": [4]}]


def customers(rows: int = 240, seed: int = 0) -> Labelled:
    """Draw customers whose churn is a line and a combination: lines and trees each find a part of it."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})
    p = expit(1.2 * frame["a"] + 1.2 * np.sign(frame["a"] * frame["b"]))
    return Labelled(frame, pd.Series((rng.random(rows) < p).astype(np.int64)))


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(params_module.GRIDS, "terms", GRID)
    monkeypatch.setattr(params_module, "BOOSTED_GRID", BOOSTED)

    def searched(known: Labelled, **further: Any) -> Tuned:
        pipeline = build_pipeline(1, form="terms")
        return tune(pipeline, known, FEATURES, TuningParams(folds=2, **further), seed=1, form="terms")

    return searched


def refit(mean: Pipeline, known: Labelled) -> np.ndarray:
    """Return the out-of-fold probabilities of a pipeline that is fitted anew in each fold."""
    x, y, out_of_fold = known.features[FEATURES], known.outcome, np.empty(len(known))
    for learned, asked in folds_of(known, 2, 1):
        out_of_fold[asked] = clone(mean).fit(x.iloc[learned], y.iloc[learned]).predict_proba(x.iloc[asked])[:, 1]
    return out_of_fold


def test_the_mean_is_taken_where_it_is_better_and_its_probabilities_are_those_of_its_refits(search: Any) -> None:
    known = customers()
    found, single = search(known), search(known, mean=False)
    assert isinstance(found.pipeline, MeanOfModels)
    assert type(found.served) is Pipeline
    assert log_loss(known.outcome, found.out_of_fold) < log_loss(known.outcome, single.out_of_fold)
    np.testing.assert_allclose(found.out_of_fold, refit(found.pipeline, known), rtol=0, atol=1e-9)
    losses = [log_loss(known.outcome[asked], found.out_of_fold[asked]) for _, asked in folds_of(known, 2, 1)]
    assert found.score == pytest.approx(-np.mean(losses), abs=1e-9)
    assert found.pipeline["scaler"].n_samples_seen_ == len(known)
    assert found.candidates["weight"].sum() == pytest.approx(1)
    assert (found.candidates["weight"] > 0).sum() == len(found.pipeline.members) == len(found.best) > 1
    assert found.candidates.drop(columns="weight").equals(single.candidates)
    heaviest = found.candidates.loc[found.candidates["weight"].idxmax()]
    assert heaviest["weight"] == max(found.pipeline.weights) == found.pipeline.weights[0]
    named = {name.removeprefix("param_"): value for name, value in heaviest.filter(like="param_").dropna().items()}
    assert named == found.pipeline.members[0]
    assert found.best["member_1"].startswith(f"{found.pipeline.weights[0]:.3g} of features__")


def test_it_costs_no_further_scores(search: Any) -> None:
    told: list[int] = []
    pipeline = build_pipeline(1, form="terms")
    found = tune(pipeline, customers(), FEATURES, TuningParams(folds=2), seed=1, form="terms", on_score=told.append)
    assert len(told) == 2 * len(found.candidates) <= expected_scores(TuningParams(folds=2), "terms")


class Elsewhere(list[Scored]):
    """What a scorer keeps whose calls are in other processes, as Dask's workers."""

    def append(self, one: Scored) -> None:
        pass


class AnyOrder(list[Scored]):
    """What a scorer keeps that several threads call."""

    def append(self, one: Scored) -> None:
        self.insert(0, one)


@pytest.mark.parametrize("kept", [Elsewhere, AnyOrder])
def test_the_model_is_the_same_wherever_candidates_are_scored(
    kept: type[list[Scored]], search: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = search(customers())
    begin = CountingScorer.__init__

    def begin_there(self: CountingScorer, *args: Any) -> None:
        begin(self, *args)
        self.scored = kept()

    monkeypatch.setattr(CountingScorer, "__init__", begin_there)
    there = search(customers())
    assert isinstance(here.pipeline, MeanOfModels)
    assert there.best == here.best
    assert np.array_equal(there.out_of_fold, here.out_of_fold)
    pd.testing.assert_frame_equal(there.candidates, here.candidates, check_exact=True)


@pytest.mark.parametrize(
    "further", [{"mean": False}, {"scoring": "roc_auc"}, {"grid": {"logreg__C": [0.01, 1.0]}}, {"search": "halving"}]
)
def test_it_is_not_tried_where_the_user_asks_for_something_else(further: dict[str, Any]) -> None:
    assert tries_mean(TuningParams(), "terms")
    assert not tries_mean(TuningParams(), "plain")
    assert not tries_mean(TuningParams.model_validate(further), "terms")


def test_nor_of_many_customers(search: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_module, "MAX_COMPARED", 200)
    assert not isinstance(search(customers()).pipeline, MeanOfModels)


def test_nor_where_a_sample_of_them_is_searched(search: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few customers with very many columns: nobody has asked each candidate about everybody."""
    monkeypatch.setattr(tuning_module, "MAX_SEARCHED", 100)
    found = search(customers(120))
    assert not isinstance(found.pipeline, MeanOfModels)
    assert len(found.out_of_fold) == 120


def test_where_one_is_best_the_model_is_what_it_is_without(search: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(params_module, "BOOSTED_GRID", [])
    monkeypatch.setitem(params_module.GRIDS, "terms", [GRID[0] | {"logreg__C": [1.0]}])
    found, single = search(customers()), search(customers(), mean=False)
    assert type(found.pipeline) is Pipeline
    assert (found.best, found.score) == (single.best, single.score)
    assert np.array_equal(found.out_of_fold, single.out_of_fold)
    assert np.array_equal(found.pipeline["logreg"].coef_, single.pipeline["logreg"].coef_)


def test_rows_of_a_customer_stay_together_in_each_member(search: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = customers(120)
    often = np.repeat(np.arange(120), 2)
    rows = known.take(often)
    many = Labelled(rows.features, rows.outcome, customer=often, fold=np.repeat(np.random.default_rng(3).random(120), 2))
    found = search(many)
    assert isinstance(found.pipeline, MeanOfModels)
    asked: list[Any] = []
    fit = Pipeline.fit
    monkeypatch.setattr(Pipeline, "fit", lambda *given, **told: asked.append(told) or fit(*given, **told))
    found.pipeline.fit(many.features[FEATURES], many.outcome, features__customer=many.customer)
    assert len(asked) == len(found.pipeline.members)
    assert all(np.array_equal(told["features__customer"], often) for told in asked)
