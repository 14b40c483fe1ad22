"""Validation curves: what other values of a parameter would have given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.diagnostics.curves import NOT_ASKED, find_curves
from churn.diagnostics.learning import measure_learning
from churn.diagnostics.validation import ValidationCurve, measure_validation, searched_curves
from churn.modeling.folds import folds_of
from churn.modeling.model import build_pipeline
from churn.modeling.search.mean_of_models import MeanOfModels
from churn.modeling.tuning import Tuned, tune
from tests.unit.churn.diagnostics.weak_columns import FEATURES, PARAMS, customers, tuned


def test_the_search_has_drawn_a_curve_that_costs_nothing() -> None:
    known = customers(400)
    found = tuned(known)
    [curve] = searched_curves(found, "neg_log_loss")
    assert (curve.parameter, curve.values, curve.chosen) == ("logreg__C", [0.001, 0.1, 1.0], found.best["logreg__C"])
    means = found.candidates.set_index("param_logreg__C")["mean_test_score"]
    np.testing.assert_allclose(curve.others.mean(axis=1), [means[value] for value in curve.values])
    curves = find_curves(found, known, FEATURES, PARAMS, 1)
    assert curves.report()["more_customers"] == NOT_ASKED
    assert set(curves.files()) == {"plots/validation_curves.png", "curves/validation.csv"}


def test_at_each_value_stands_its_best_candidate_and_words_have_no_curve() -> None:
    params = TuningParams(folds=3, grid={"logreg__C": [0.01, 1.0], "logreg__solver": ["lbfgs", "newton-cg"]})
    found = tune(build_pipeline(1), customers(200), FEATURES, params, seed=1)
    [curve] = searched_curves(found, "neg_log_loss")
    best = found.candidates.groupby("param_logreg__C")["mean_test_score"].max()
    np.testing.assert_allclose(curve.others.mean(axis=1), best.to_numpy())


@pytest.mark.parametrize(("taken", "scores"), [(True, [-0.1, -0.2]), (False, [-0.5, -0.6, -0.4])])
def test_a_curve_is_of_candidates_of_the_chosen_kind(taken: bool, scores: list[float]) -> None:
    """With boosted trees or without: one that was not taken is no point of the other's curve."""
    rows = [(0.1, np.nan, -0.5), (1.0, np.nan, -0.6), (10.0, np.nan, -0.4), (1.0, 100.0, -0.1), (10.0, 100.0, -0.2)]
    candidates = pd.DataFrame(rows, columns=["param_logreg__C", "param_features__boosted", "mean_test_score"])
    best = {"logreg__C": 10.0} | ({"features__boosted": 100} if taken else {})
    fold_scores = np.repeat(candidates[["mean_test_score"]].to_numpy(), 2, axis=1)
    found = Tuned(build_pipeline(1), best, 0.0, candidates, np.empty(0), fold_scores)
    [curve] = searched_curves(found, "neg_log_loss")
    assert curve.parameter == "logreg__C"
    assert curve.others[:, 0].tolist() == scores


def test_a_halving_search_has_no_curve() -> None:
    params = TuningParams(search="halving", folds=3, candidates=6, grid={"logreg__C": [0.001, 0.01, 0.1, 1.0, 2.0, 3.0]})
    known = customers(300)
    assert find_curves(tuned(known, params), known, FEATURES, params, 1).validation == []


def test_other_values_are_fitted_around_the_chosen_one() -> None:
    [curve] = measure_validation(build_pipeline(1), customers(400), FEATURES, "neg_log_loss", 4, 1)
    assert curve.values == [0.01, 0.1, 1.0, 10.0]
    assert curve.chosen == 1.0
    assert curve.own is not None
    assert (np.diff(curve.own.mean(axis=1)) > 0).all(), "a weaker penalty fits its own customers better"


def test_a_lasso_that_was_left_out_is_held_against_mild_ones() -> None:
    pipeline = build_pipeline(1, form="terms").set_params(features__trees=0, features__strictness=0.0)
    curves = measure_validation(pipeline, customers(200), FEATURES[:3], "neg_log_loss", 2, 1)
    (curve,) = (curve for curve in curves if curve.parameter == "features__strictness")
    assert (curve.chosen, curve.values) == (0.0, [0.0, 0.15, 0.3, 0.45, 0.75])


@pytest.mark.parametrize(
    ("parameter", "best", "said"),
    [
        ("logreg__C", 2, "The model is too simple by logreg__C = 1: log loss on others 0.5000; 10 is better by 0.2000"),
        ("logreg__C", 0, "The model is too flexible by logreg__C = 1"),
        ("features__strictness", 2, "The model is too flexible by features__strictness = 1"),
        ("features__strictness", 0, "The model is too simple by features__strictness = 1"),
        (
            "logreg__C",
            1,
            "flexible by logreg__C = 1: log loss on others 0.5000, the lowest of 0.1, 1, 10.",
        ),
    ],
)
def test_a_curve_says_on_which_side_it_is_better(parameter: str, best: int, said: str) -> None:
    others = np.full((3, 4), -0.6)
    others[1] = -0.5
    others[best] = -0.3 if best != 1 else -0.5
    others[best] += np.array([0.0, 0.001, 0.0, -0.001])
    assert said in ValidationCurve(parameter, 1.0, "neg_log_loss", [0.1, 1.0, 10.0], others).sentence()


def test_what_may_be_chance_and_what_is_at_the_edge_is_said() -> None:
    noisy = np.array([[-0.5, -0.5, -0.5], [-0.3, -0.7, -0.44]])
    said = ValidationCurve("logreg__C", 1.0, "neg_log_loss", [1.0, 10.0], noisy).sentence()
    assert said.endswith("may be chance.")
    said = ValidationCurve("logreg__C", 1.0, "neg_log_loss", [1.0, 10.0], noisy[::-1] - np.array([[0], [1]])).sentence()
    assert said.endswith("; it is the last value tried on its side.")


KINDS = ((0.0, 1.0), (0.5, 0.01))


def mean_of(known: Labelled) -> MeanOfModels:
    kinds = [{"features__trees": 0, "features__knots": 0, "features__strictness": s, "logreg__C": c} for s, c in KINDS]
    mean = MeanOfModels(build_pipeline(1, form="terms").steps, kinds, [0.75, 0.25])
    return mean.fit(known.features[FEATURES], known.outcome)


def test_of_a_mean_each_members_value_is_multiplied() -> None:
    known = customers(300)
    mean = mean_of(known)
    strength, strictness = measure_validation(mean, known, FEATURES, "neg_log_loss", 2, 1)
    assert (strength.parameter, strength.chosen, strength.values) == ("logreg__C", 1.0, [0.01, 0.1, 1.0, 10.0])
    assert (strictness.parameter, strictness.chosen) == ("features__strictness", 0.5), "a strictness of 0 has no multiples"
    x, y = known.features[FEATURES], known.outcome
    weaker = MeanOfModels(mean.steps, [member | {"logreg__C": member["logreg__C"] * 10} for member in mean.members], mean.weights)
    [one, other] = [
        -log_loss(y[asked], clone(weaker).fit(x.iloc[learned], y[learned]).predict_proba(x.iloc[asked])[:, 1])
        for learned, asked in folds_of(known, 2, 1)
    ]
    assert strength.others[3].tolist() == pytest.approx([one, other], abs=1e-9)
    assert not np.allclose(strength.others[3], strength.others[2])


def test_the_searched_curves_of_a_mean_are_those_of_its_heaviest_member() -> None:
    rows = [(0.1, np.nan, -0.5), (1.0, np.nan, -0.6), (1.0, 100.0, -0.1), (10.0, 100.0, -0.2)]
    candidates = pd.DataFrame(rows, columns=["param_logreg__C", "param_features__boosted", "mean_test_score"])
    fold_scores = np.repeat(candidates[["mean_test_score"]].to_numpy(), 2, axis=1)
    members = [{"logreg__C": 10.0, "features__boosted": 100}, {"logreg__C": 0.1}]
    mean = MeanOfModels(build_pipeline(1, form="terms").steps, members, [0.75, 0.25])
    [curve] = searched_curves(Tuned(mean, {"member_1": "…"}, 0.0, candidates, np.empty(0), fold_scores), "neg_log_loss")
    assert (curve.chosen, curve.values, curve.others[:, 0].tolist()) == (10.0, [1.0, 10.0], [-0.1, -0.2])


def test_the_learning_curve_of_a_mean_fits_all_members() -> None:
    known = customers(300)
    curve = measure_learning(mean_of(known), known, FEATURES, "neg_log_loss", 2, 1)
    assert curve is not None
    x, y = known.features[FEATURES], known.outcome
    losses = [
        log_loss(y[asked], clone(mean_of(known)).fit(x.iloc[learned], y[learned]).predict_proba(x.iloc[asked])[:, 1])
        for learned, asked in folds_of(known, 2, 1)
    ]
    # The rows are the same in another order, which draws other trees of the same kind: none here, so only the last digits differ.
    assert curve.others[-1] == pytest.approx(-np.array(losses), abs=1e-3)
