from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churn.contract import Contract, load_contract
from churn.customers.customer import request_model
from churn.errors import ModelRefused
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.inference.terms import Condition
from churn.inference.vectorized import probabilities
from churn.modeling.model import Model, build_pipeline
from churn.simulation.simulate import simulate
from service.model_loading.parity_check import verified, verify
from service.model_loading.parity_customers import drawn_customers, may_be_missing, plain_customers
from tests.unit.service.fakes import make_info, make_model

CONTRACT = load_contract()


class Odd(ClassifierMixin, BaseEstimator):
    """A classifier that answers `value` for class 1."""

    def __init__(self, value: float = 0.5, classes: tuple[int, ...] = (0, 1)) -> None:
        self.value = value
        self.classes = classes
        self.classes_ = np.array(classes)

    def fit(self, rows: Any, outcome: Any) -> Odd:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, rows: Any) -> np.ndarray:
        return np.tile([1 - self.value, self.value], (len(rows), 1))


def odd_model(**what: Any) -> Model:
    return replace(make_model(), pipeline=Pipeline([("odd", Odd(**what))]))


def test_good_model_is_made_ready_to_serve() -> None:
    model = make_model("5")
    served = verified(model, CONTRACT, "registry")
    assert (served.info, served.path, served.loaded_from) == (model.info, "compiled", "registry")
    assert served.explainer is not None
    assert served.card.startswith("# Model card")


def test_a_model_with_boosted_trees_is_served_compiled_and_explained() -> None:
    known = simulate(CONTRACT, 600, seed=4)
    chosen = {"trees": 0, "knots": 3, "strictness": 0.1, "boosted": 20, "leaves": 8}
    pipeline = build_pipeline(1, form="terms", contract=CONTRACT).set_params(**{f"features__{k}": v for k, v in chosen.items()})
    pipeline.fit(known.features, known.labelled)
    served = verified(Model(pipeline, make_info("7", CONTRACT.feature_names)), CONTRACT, "registry")
    assert (served.path, len(pipeline["features"].nodes_) > 100) == ("compiled", True)
    assert served.explainer is not None


def test_pipeline_that_cannot_be_compiled_answers_by_itself() -> None:
    served = verified(odd_model(value=0.25), CONTRACT, "disk")
    assert (served.path, served.explainer) == ("pipeline", None)
    assert served.score_one(plain_customers(CONTRACT)[0], None).churn_probability == 0.25


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"value": float("nan")}, "no probability"),
        ({"value": 1.5}, "no probability"),
        ({"classes": (1, 0)}, "classes 0 and 1"),
        ({"classes": (0, 1, 2)}, "classes 0 and 1"),
    ],
)
def test_model_that_answers_nonsense_is_refused(what: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        verified(odd_model(**what), CONTRACT, "registry")


def test_model_that_reads_what_the_contract_does_not_have_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"does not have: .*shoe_size"):
        verified(make_model(features=["total_day_minutes", "shoe_size"]), CONTRACT, "registry")


def test_model_that_cannot_take_the_text_of_a_category_is_refused() -> None:
    with pytest.raises(ModelRefused, match="cannot answer"):
        verified(make_model(features=["total_day_minutes", "state"]), CONTRACT, "registry")


def test_unfitted_pipeline_is_refused() -> None:
    unfitted = Pipeline([("imputer", SimpleImputer()), ("logreg", LogisticRegression())])
    with pytest.raises(ModelRefused, match="cannot answer"):
        verified(replace(make_model(), pipeline=unfitted), CONTRACT, "registry")


def test_pipeline_that_cannot_take_missing_values_is_refused() -> None:
    frame = pd.DataFrame({"total_day_minutes": [1.0, 2.0, 3.0, 4.0]})
    bare = Pipeline([("logreg", LogisticRegression())]).fit(frame, [0, 1, 0, 1])
    model = make_model(features=["total_day_minutes"])
    with pytest.raises(ModelRefused, match="cannot answer"):
        verified(replace(model, pipeline=bare), CONTRACT, "registry")


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("churn.inference.compiled.CompiledModel.probability", CompiledModel.probability),
        ("service.scoring.scorer.probabilities", probabilities),
    ],
)
def test_serving_path_that_differs_from_the_pipeline_is_refused(
    name: str, right: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name, lambda model, values: right(model, values) * (1 - 1e-7))
    with pytest.raises(ModelRefused, match="off its own pipeline"):
        verify(make_model(), CONTRACT)


@pytest.mark.parametrize("place", [0, -1])
def test_a_difference_at_one_edge_alone_is_found(
    place: int, monkeypatch: pytest.MonkeyPatch, contract: Contract, trained: Model
) -> None:
    """Such as `<` in place of `<=`, which no customer drawn evenly would ever show."""
    compiled = compile_pipeline(trained.pipeline, trained.info.features, contract)
    assert compiled is not None
    number = {at for at, name in enumerate(compiled.numbers) if contract[name].kind == "number"}
    rule = next(rule for rule in compiled.rules if rule.conditions[place].input in number)
    moved = list(rule.conditions)
    at, low, high = moved[place]
    moved[place] = Condition(at, low, math.nextafter(high, 0)) if high < math.inf else Condition(at, math.nextafter(low, 0), high)
    others = [one._replace(conditions=tuple(moved)) if one is rule else one for one in compiled.rules]
    wrong = replace(compiled, rules=tuple(others))
    assert verify(trained, contract).compiled == compiled.to_document()
    monkeypatch.setattr("service.model_loading.parity_check.DRAWN", 50)  # chance alone would not find it
    monkeypatch.setattr("service.model_loading.parity_check.compile_model", lambda *_: wrong)
    with pytest.raises(ModelRefused, match="off its own pipeline"):
        verify(trained, contract)


@pytest.fixture(scope="module")
def trained(contract: Contract) -> Model:
    data = simulate(contract, 600, 11)
    pipeline = build_pipeline(1, form="terms", contract=contract).fit(data.features, data.labelled)
    return Model(pipeline, make_info("1", contract.feature_names))


def test_every_form_of_pipeline_that_is_trained_is_compiled_and_agrees(contract: Contract, trained: Model) -> None:
    bundle = verify(trained, contract, folder="there", artifact_digest="abc")
    assert bundle.compiled is not None
    assert (bundle.folder, bundle.artifact_digest, len(bundle.probes)) == ("there", "abc", 40)


def test_trial_customers_are_all_that_the_contract_allows(contract: Contract) -> None:
    customers = plain_customers(contract) + drawn_customers(contract, 4_000, 4, {"total_day_minutes": [264.45]})
    customer_model = request_model(contract)
    sent = [dict(zip(contract.feature_names, values, strict=True)) for values in customers]
    for customer in sent:
        assert customer_model.model_validate(customer).features() == customer
    for column in contract.features:
        seen = {customer[column.name] for customer in sent}
        assert (None in seen) == may_be_missing(column)
        assert set(column.levels) <= seen
        if column.minimum is not None:
            assert column.minimum in seen
    beside = {math.nextafter(264.45, 0), 264.45, math.nextafter(264.45, 999)}
    assert beside <= {customer["total_day_minutes"] for customer in sent}
