"""Learning and validation curves: a world whose answer is known is read rightly, twice alike, in bounded time."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from churn.config.params import TuningParams
from churn.data.labelled import Labelled
from churn.diagnostics import learning
from churn.diagnostics.curves import NOT_ASKED, TOO_FEW, Curves, find_curves
from churn.diagnostics.fold_differences import gain_over_folds
from churn.diagnostics.learning import LearningCurve, measure_learning
from churn.diagnostics.validation import ValidationCurve, measure_validation, searched_curves
from churn.modeling.model import build_pipeline
from churn.modeling.tuning import Tuned, tune

FEATURES = [f"x{number}" for number in range(30)]
PARAMS = TuningParams(folds=4, grid={"logreg__C": [0.001, 0.1, 1.0]})


def customers(rows: int, *, churners: float = 0.4, seed: int = 0) -> Labelled:
    """30 columns that each say a little: many customers are needed to weigh them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, len(FEATURES))), columns=FEATURES)
    logit = 0.4 * frame.sum(axis=1) + np.log(churners / (1 - churners))
    return Labelled(frame, pd.Series((rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)))


def tuned(known: Labelled, params: TuningParams = PARAMS) -> Tuned:
    return tune(build_pipeline(1), known, FEATURES, params, seed=1)


def learned(rows: int) -> LearningCurve:
    curve = measure_learning(build_pipeline(1), customers(rows), FEATURES, "neg_log_loss", 4, 1)
    assert curve is not None
    return curve


def test_where_customers_are_few_more_would_help() -> None:
    curve = learned(500)
    assert curve.rows.tolist() == [46, 93, 187, 375]
    assert curve.sentence().startswith(
        "More customers would probably help: from 187 customers to 375, log loss on others fell by"
    )
    assert (curve.own.mean(axis=1) > curve.others.mean(axis=1)).all(), "it knows its own customers better"


def test_where_there_are_plenty_more_would_hardly_help() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16_000, 1))
    y = pd.Series((rng.random(16_000) < 1 / (1 + np.exp(-x[:, 0]))).astype(np.int64))
    curve = measure_learning(build_pipeline(1), Labelled(pd.DataFrame(x, columns=["a"]), y), ["a"], "roc_auc", 4, 1)
    assert curve is not None
    assert curve.sentence().startswith("More customers would hardly help: from 6,000 customers to 12,000, ROC AUC on others ")


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ([0.60, 0.61, 0.62], "More customers would help: from 50 customers to 100, ROC AUC on others rose by 0.1000"),
        ([0.40, 0.60, 0.65], "More customers would probably help"),
        (
            [0.40, 0.60, 0.52],
            "Whether more customers would help cannot be told: from 50 customers to 100, ROC AUC",
        ),
        ([0.50, 0.51, 0.521], "More customers would hardly help"),
        # By just as much as counts as much.
        ([4.0, 2.0, 0.0], "More customers would probably help"),
    ],
)
def test_a_doubling_is_read_against_what_chance_does_over_the_folds(
    last: list[float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = np.array([0.50, 0.51, 0.52])
    if last[0] == 4:
        before = np.array([0.0, 1.0, 2.0])
        monkeypatch.setattr(learning, "SMALL", 0.5)
    curve = LearningCurve("roc_auc", np.array([50, 100]), np.ones((2, 3)), np.array([before, last]))
    assert said in curve.sentence()


def test_the_interval_is_wider_than_that_of_independent_folds() -> None:
    gain = gain_over_folds(np.zeros(4), np.array([1.0, 2.0, 3.0, 2.0]))
    # Nadeau and Bengio by hand: t(3) = 3.182446, s² = 2/3, and 1/4 + 1/3 in the place of 1/4.
    assert (gain.high - gain.low) / 2 == pytest.approx(3.182446 * np.sqrt(2 / 3 * (1 / 4 + 1 / 3)), rel=1e-6)
    assert gain.mean == 2.0


def test_it_is_the_same_twice_and_bounded_in_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MAX_ROWS", 400)
    first, second = learned(1_000), learned(1_000)
    np.testing.assert_array_equal(first.others, second.others)
    assert first.rows.max() == 300
    assert first.left_out == 600


def test_rows_of_one_customer_are_never_on_both_sides() -> None:
    """Else a customer's other rows would give the answer: noise would look learnable."""
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(100), 5)
    frame = pd.DataFrame(rng.normal(size=(100, 30))[who], columns=FEATURES)
    known = Labelled(frame, pd.Series(rng.integers(0, 2, 100)[who]), customer=who.astype(np.int64))
    curve = measure_learning(build_pipeline(1), known, FEATURES, "roc_auc", 4, 1)
    assert curve is not None
    assert curve.others[-1].mean() < 0.65


def test_too_few_of_a_class_is_said_and_is_no_failure() -> None:
    known = customers(60, churners=0.3)
    curves = find_curves(tuned(known), known, FEATURES, PARAMS, 1, measure=True)
    assert curves.learning is None
    assert curves.report()["more_customers"] == TOO_FEW
    assert "plots/learning_curve.png" not in curves.files()


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


def test_pictures_show_scores_as_people_read_them() -> None:
    curves = find_curves(tuned(customers(500)), customers(500), FEATURES, PARAMS, 1, measure=True)
    files = curves.files()
    assert set(files) == {
        *("plots/learning_curve.png", "plots/validation_curves.png"),
        *("curves/learning.csv", "curves/validation.csv"),
    }
    for name in ("plots/learning_curve.png", "plots/validation_curves.png"):
        axes = files[name].axes[0]
        assert axes.get_ylabel() == "log loss"
        assert all(value > 0 for line in axes.get_lines()[:2] for value in line.get_ydata()), "losses, not negated ones"
        assert {"customers trained on", "others (cross-validation)"} <= {text.get_text() for text in axes.get_legend().texts}
        files[name].savefig(io.BytesIO())
    assert list(files["curves/learning.csv"]) == ["rows", "fold", "own", "others"]
    assert curves.report()["more_customers"].startswith("More customers would probably help")


def test_without_curves_there_are_no_files() -> None:
    assert Curves().files() == {}
