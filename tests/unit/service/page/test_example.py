"""The customer that the page shows as an example."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from churn.contract import load_contract
from churn.customers.customer import request_model
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from service.page.example import example_customer

CONTRACT = load_contract()


@pytest.fixture(scope="module")
def terms() -> CompiledModel:
    known = simulate(CONTRACT, 1_500, seed=4)
    pipeline = build_pipeline(1, form="terms", contract=CONTRACT).fit(known.features, known.labelled)
    model = compile_pipeline(pipeline, CONTRACT.feature_names, CONTRACT)
    assert model is not None
    return model


def test_the_example_is_a_customer_of_the_contract_with_something_to_explain(terms: CompiledModel) -> None:
    for model in (terms, replace(terms, intercept=terms.intercept + 5)):
        customer = example_customer(model, CONTRACT)
        request_model(CONTRACT).model_validate(orjson.loads(orjson.dumps(customer)))
        typical = model.logit([model.typical[name] for name in model.columns])
        example = model.logit([customer[name] for name in model.columns])
        assert (typical > 0) != (example > 0)


def test_in_the_example_charges_go_with_their_minutes(terms: CompiledModel) -> None:
    customer = example_customer(terms, CONTRACT)
    for check in CONTRACT.checks:
        assert customer[check.column] == pytest.approx(customer[check.equals] * check.times, abs=0.011)


def test_a_model_that_nothing_moves_has_the_typical_customer_as_its_example(terms: CompiledModel) -> None:
    still = replace(terms, ramps=(), rules=())
    customer = example_customer(still, CONTRACT)
    for column in CONTRACT.features:
        typical = terms.typical[column.name]
        # As it would be typed in: money to the cent.
        assert customer[column.name] == (pytest.approx(typical, abs=0.005) if column.is_numeric else typical)
