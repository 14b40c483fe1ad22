"""A candidate trained with reweighed customers: when it is taken, what it costs, and that nothing moves without it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

import churn.modeling.features as features_module
from churn.config.params import Params
from churn.contract import Contract
from churn.data.dataset import read_dataset
from churn.data.labelled import Labelled
from churn.evaluation.statistics import log_losses
from churn.fairness.pictures import draw_reweighing
from churn.fairness.reweighing import Fit, Reweighing, consider
from churn.fairness.weights import cells_of, reweighed
from churn.modeling.folds import folds_of
from churn.modeling.model import build_pipeline
from churn.modeling.search.mean_of_models import MeanOfModels
from churn.modeling.training import Trained, train
from churn.modeling.training_set import TrainingSet, assemble
from tests.credit_like import CREDIT, credit_like

PLAIN = CREDIT.model_copy(update={"columns": tuple(column for column in CREDIT.columns if column.role != "sensitive")})


def params(**fairness: Any) -> Params:
    return Params.model_validate(
        {
            "model": {"form": "plain"},
            "tuning": {"folds": 3, "grid": {"logreg__C": [0.1, 1.0]}},
            "threshold": {"method": "top_k", "budget": 0.25},
            "evaluation": {"resamples": 100},
            "fairness": {"gaps": ["selection_rate"], **fairness},
        }
    )


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[float, TrainingSet]:
    """Training sets of customers whose groups are alike, and of others whose groups are far apart."""
    found = {}
    for gap in (0.0, 2.0):
        path: Path = tmp_path_factory.mktemp("credit") / "credit.csv"
        credit_like(2400, 1, gap).to_csv(path, index=False)
        found[gap] = assemble(read_dataset(path, CREDIT), None, CREDIT, params())
    return found


def fit(parts: TrainingSet, contract: Contract = CREDIT, **fairness: Any) -> Trained:
    return train(parts, contract, params(**fairness), name="credit", trigger="test")


@pytest.fixture(scope="module")
def plain(parts: dict[float, TrainingSet]) -> Trained:
    """Train on groups that are far apart, without any weights."""
    return fit(parts[2.0], reweigh="never")


@pytest.fixture(scope="module")
def fair(parts: dict[float, TrainingSet]) -> Trained:
    """Train on the same customers with weights."""
    return fit(parts[2.0])


def same(one: Trained, other: Trained) -> bool:
    coefficients = [trained.model.pipeline.named_steps["logreg"].coef_ for trained in (one, other)]
    return bool(np.array_equal(*coefficients)) and one.reference.equals(other.reference)


def told(trained: Trained) -> Reweighing:
    assert trained.reweighing is not None
    return trained.reweighing


def test_a_gap_that_costs_little_to_narrow_is_narrowed(plain: Trained, fair: Trained) -> None:
    result = told(fair)
    assert result.taken
    assert not same(plain, fair)
    assert result.sentence.startswith("trained with reweighed customers: that narrows selection rate by gender from ")
    assert fair.model.info.params["reweighed_by"] == "gender, married"
    assert result.cells == [f"gender={gender}, married={married}" for gender in ("female", "male") for married in ("no", "yes")]
    assert result.weighed == result.rows == fair.model.info.rows
    # On customers who were neither learned from nor chosen by: narrower beyond chance.
    [by_gender] = [gap for gap in result.gaps if gap.column == "gender"]
    assert by_gender.high < 0
    # What it cost is what both models' own scorecards say.
    for name, (before, after, *_) in result.costs.items():
        assert before == pytest.approx(getattr(plain.evaluation.card, name)), name
        assert after == pytest.approx(getattr(fair.evaluation.card, name)), name
    assert result.costs["log_loss"][2] > 0 > result.costs["roc_auc"][2]
    json.dumps(result.report(), allow_nan=False)
    assert set(result.metrics()) >= {
        "fairness_cost_log_loss",
        "fairness_cost_profit_low",
        "fairness_gap_selection_rate_gender_high",
    }


def test_where_groups_are_alike_nothing_is_taken(parts: dict[float, TrainingSet]) -> None:
    tried = fit(parts[0.0])
    assert told(tried).sentence.startswith(
        "reweighing is not taken: it narrows no gap by more than 0.05 beyond chance (log loss "
    )
    assert same(tried, fit(parts[0.0], reweigh="never"))
    assert "reweighed_by" not in tried.model.info.params


def test_what_costs_too_much_is_not_taken_and_the_price_is_told(parts: dict[float, TrainingSet], plain: Trained) -> None:
    tried = fit(parts[2.0], max_cost=0.001)
    assert told(tried).sentence.startswith("reweighing is not taken: log loss +")
    assert "is more than 0.1%, though it narrows selection rate by gender" in told(tried).sentence
    assert told(tried).costs
    assert same(tried, plain)


def test_always_means_whatever_it_costs(parts: dict[float, TrainingSet], fair: Trained) -> None:
    forced = fit(parts[2.0], reweigh="always", max_cost=0.0)
    assert told(forced).taken
    assert same(forced, fair)


def test_never_and_nothing_sensitive_are_the_model_without_any_of_this(parts: dict[float, TrainingSet], plain: Trained) -> None:
    unknown = replace(
        parts[2.0],
        train=replace(parts[2.0].train, sensitive=None),
        holdout=replace(parts[2.0].holdout, sensitive=None),
    )
    without = fit(unknown, PLAIN)
    assert (plain.reweighing, without.reweighing) == (None, None)
    assert same(plain, without)
    assert plain.model.info.data_digest == without.model.info.data_digest == parts[2.0].digest


def test_a_model_that_weighs_groups_names_them_in_its_datas_digest(parts: dict[float, TrainingSet], fair: Trained) -> None:
    known = parts[2.0].train
    assert known.sensitive is not None
    turned = replace(known, sensitive=known.sensitive.assign(married=known.sensitive["married"].to_numpy()[::-1]))
    other = fit(replace(parts[2.0], train=turned), reweigh="always")
    assert len({parts[2.0].digest, fair.model.info.data_digest, other.model.info.data_digest}) == 3


@pytest.mark.parametrize("sensitive", [None, {"gender": "f"}, {"gender": None}], ids=["unknown", "one level", "all missing"])
def test_without_groups_the_plain_model_stays_and_it_says_why(
    parts: dict[float, TrainingSet], plain: Trained, sensitive: Any
) -> None:
    known = parts[2.0].train
    frame = None if sensitive is None else pd.DataFrame(sensitive, index=range(len(known)))
    tried = fit(replace(parts[2.0], train=replace(known, sensitive=frame)), reweigh="always")
    assert told(tried).sentence.startswith("there are no groups to reweigh (")
    assert "gender: " in told(tried).sentence
    assert same(tried, plain)


def test_weights_are_computed_from_the_fold_that_is_learned_from(
    parts: dict[float, TrainingSet], plain: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, seen = parts[2.0].train, []

    def watched(outcome: np.ndarray, cells: pd.Series) -> np.ndarray:
        seen.append(len(outcome))
        np.testing.assert_array_equal(cells, cells_of(known.take(rows[len(seen) - 1]), CREDIT, params().evaluation.slices))
        return reweighed(outcome, cells)

    thirds = [np.flatnonzero(np.arange(len(known)) % 3 == third) for third in range(3)]
    folds = [(np.setdiff1d(np.arange(len(known)), third), third) for third in thirds]
    rows = [*(learned for learned, _ in folds), np.arange(len(known))]
    monkeypatch.setattr("churn.fairness.reweighing.reweighed", watched)
    candidate = Fit(plain.tuned.pipeline, plain.tuned.out_of_fold, plain.model.info.threshold, plain.tuned.score)
    taken, _ = consider(
        *(candidate, known, parts[2.0].holdout, plain.model.info.features, folds, lambda _: 0.4),
        *(CREDIT, params(reweigh="always")),
    )
    assert seen == [len(learned) for learned in rows]
    # Predicted once each, by a model that had not seen the customer; scored without weights.
    scores = [-log_losses(known.outcome.to_numpy()[third], taken.out_of_fold[third]).mean() for third in thirds]
    assert taken.score == pytest.approx(np.mean(scores))


def test_very_many_customers_are_weighed_in_as_few_folds_as_they_are_predicted_in(
    parts: dict[float, TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def watched(*given: Any) -> tuple[Fit, Reweighing]:
        seen.append(len(given[4]))
        return consider(*given)

    monkeypatch.setattr("churn.modeling.training.count_folds", lambda outcome, folds, columns: folds - 1)
    monkeypatch.setattr("churn.modeling.training.consider", watched)
    fit(parts[2.0])
    assert seen == [2]


def test_a_model_that_learns_from_no_weights_is_left_as_it_is(parts: dict[float, TrainingSet], plain: Trained) -> None:
    pipeline = plain.tuned.pipeline
    pipeline = type(pipeline)([*pipeline.steps[:-1], ("nearest", KNeighborsClassifier())])
    candidate = Fit(pipeline, plain.tuned.out_of_fold, 0.5, 0.0)
    taken, result = consider(
        *(candidate, parts[2.0].train, parts[2.0].holdout, plain.model.info.features, [], lambda _: 0.5), *(CREDIT, params())
    )
    assert taken is candidate
    assert result.sentence == "KNeighborsClassifier learns from no weights"


def test_traffic_of_whom_nothing_is_known_is_learned_from_as_ever(parts: dict[float, TrainingSet], fair: Trained) -> None:
    known = parts[2.0].train
    assert known.sensitive is not None
    rows = np.arange(len(known) + 300) % len(known)
    more: Labelled = replace(known.take(rows), sensitive=known.sensitive.reindex(range(len(rows))), customer=None, fold=None)
    result = told(fit(replace(parts[2.0], train=more)))
    assert set(result.cells) == set(told(fair).cells)
    assert (result.weighed, result.rows) == (len(known), len(known) + 300)
    assert all("missing" not in gap.rates for gap in result.chosen_by)


def test_the_picture_shows_every_group_without_and_with_weights(fair: Trained) -> None:
    rates, gaps = draw_reweighing(told(fair), "Holdout").axes
    assert [label.get_text() for label in rates.get_yticklabels()] == [
        f"selection rate by {column}: {level}"
        for column, level in (("gender", "female"), ("gender", "male"), ("married", "no"), ("married", "yes"))
    ]
    by_gender, by_married = told(fair).gaps
    without, with_weights = (line.get_xdata() for line in rates.get_lines()[:2])
    assert list(without) == [rate[0] for gap in (by_gender, by_married) for rate in gap.rates.values()]
    assert list(with_weights) == [rate[1] for gap in (by_gender, by_married) for rate in gap.rates.values()]
    assert list(gaps.get_lines()[0].get_xdata()) == [by_gender.change, by_married.change]


def test_boosted_trees_are_reweighed_too(parts: dict[float, TrainingSet], monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees that know of no weights would bring the gap back."""
    known, told = parts[2.0].train.take(np.arange(600)), []
    cross_fit = features_module.cross_fit

    def watched(*given: Any, **settings: Any) -> Any:
        told.append(given)
        return cross_fit(*given, **settings)

    monkeypatch.setattr(features_module, "cross_fit", watched)
    pipeline = build_pipeline(1, form="terms", contract=CREDIT)
    pipeline.set_params(features__trees=0, features__knots=0, features__boosted=3, features__leaves=4)
    features, folds = CREDIT.feature_names, folds_of(known, 2, 1)
    plain = Fit(pipeline.fit(known.features[features], known.outcome), np.full(len(known), 0.3), 0.5, -0.6)
    told.clear()
    chosen = params(reweigh="always")
    consider(plain, known, parts[2.0].holdout, features, folds, lambda _: 0.5, CREDIT, chosen)
    assert len(told) == 3
    for (learned, _), (_, outcome, _, weight) in zip([*folds, (np.arange(len(known)), None)], told, strict=True):
        part = known.take(learned)
        assert np.array_equal(outcome, part.outcome)
        assert np.array_equal(weight, reweighed(part.outcome.to_numpy(), cells_of(part, CREDIT, chosen.evaluation.slices)))
        assert weight.std() > 0


def test_of_a_mean_each_member_is_reweighed(parts: dict[float, TrainingSet]) -> None:
    known, chosen = parts[2.0].train.take(np.arange(600)), params(reweigh="always")
    features, folds = CREDIT.feature_names, folds_of(known, 2, 1)
    kinds: list[dict[str, Any]] = [
        {"features__trees": 0, "features__knots": 0, "features__strictness": strictness, "logreg__C": c}
        for strictness, c in ((0.1, 1.0), (0.5, 0.01))
    ]
    unfitted = build_pipeline(1, form="terms", contract=CREDIT)
    mean = MeanOfModels(unfitted.steps, kinds, [0.75, 0.25]).fit(known.features[features], known.outcome)
    plain = Fit(mean, np.full(len(known), 0.3), 0.5, -0.6)
    found, _ = consider(plain, known, parts[2.0].holdout, features, folds, lambda _: 0.5, CREDIT, chosen)
    assert isinstance(found.pipeline, MeanOfModels)
    weight = reweighed(known.outcome.to_numpy(), cells_of(known, CREDIT, chosen.evaluation.slices))
    told = {"features__sample_weight": weight, "logreg__sample_weight": weight, "features__customer": known.customer}
    alone = [
        build_pipeline(1, form="terms", contract=CREDIT).set_params(**kind).fit(known.features[features], known.outcome, **told)
        for kind in kinds
    ]
    expected = sum(w * one.decision_function(known.features[features]) for w, one in zip((0.75, 0.25), alone, strict=True))
    np.testing.assert_allclose(found.pipeline.decision_function(known.features[features]), expected, rtol=0, atol=1e-9)
