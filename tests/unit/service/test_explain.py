from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churn.contract import load_contract
from churn.frame import frame_from_records
from churn.model import Model, build_pipeline
from churn.request import request_model
from churn.simulation import simulate
from service.app import create_app
from service.explain import Explainer
from service.schemas import PredictionAnswer, Reason
from tests.unit.service.fakes import CUSTOMER, FakeRegistry, FakeShelf, FakeStore, make_info, make_model, make_settings, running

CONTRACT = load_contract()


def test_pipeline_of_other_steps_is_not_explained() -> None:
    model = make_model()
    steps = model.pipeline.steps
    other_order = Pipeline([steps[1], steps[0], steps[2]])
    assert Explainer.of(replace(model, pipeline=other_order), CONTRACT) is None
    assert Explainer.of(replace(model, pipeline=Pipeline([("logreg", LogisticRegression())])), CONTRACT) is None


@pytest.mark.anyio
async def test_reasons_are_the_strongest_first_and_add_up(client: httpx.AsyncClient) -> None:
    body = (await client.post("/predict?reasons=99", json={**CUSTOMER, "customer_service_calls": None})).json()
    PredictionAnswer.model_validate(body)
    reasons = body["reasons"]
    assert {r["feature"] for r in reasons} == {"total_day_minutes", "customer_service_calls", "international_plan"}
    sizes = [abs(r["contribution"]) for r in reasons]
    assert sizes == sorted(sizes, reverse=True)
    logit = body["base_value"] + sum(r["contribution"] for r in reasons)
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(body["churn_probability"], abs=1e-12)
    told = {r["feature"]: r for r in reasons}
    assert told["total_day_minutes"]["value"] == 265.1
    assert told["total_day_minutes"]["contribution"] > 0
    assert told["total_day_minutes"]["text"].startswith("total day minutes of 265.1 is above the typical ")
    assert told["total_day_minutes"]["text"].endswith("raises the risk")
    assert told["international_plan"]["text"].startswith("international plan is Yes:")
    assert told["customer_service_calls"]["value"] is None
    assert "is not known, counted as" in told["customer_service_calls"]["text"]


@pytest.mark.anyio
async def test_only_as_many_reasons_as_asked_for(client: httpx.AsyncClient) -> None:
    every = (await client.post("/predict?reasons=3", json=CUSTOMER)).json()["reasons"]
    assert (await client.post("/predict?reasons=1", json=CUSTOMER)).json()["reasons"] == every[:1]


@pytest.mark.anyio
@pytest.mark.parametrize("asked", ["0", "-1", "x", "1.5", "9" * 5000])
async def test_bad_number_of_reasons_is_422(client: httpx.AsyncClient, store: FakeStore, asked: str) -> None:
    response = await client.post(f"/predict?reasons={asked}", json=CUSTOMER)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [e["field"] for e in response.json()["errors"]] == ["reasons"]
    assert store.predictions == []


@pytest.mark.anyio
async def test_model_without_reasons_says_so_and_logs_nothing(tmp_path: Path, store: FakeStore) -> None:
    model = make_model()
    unnamed = replace(model, pipeline=Pipeline([(f"step{n}", step) for n, (_, step) in enumerate(model.pipeline.steps)]))
    app = create_app(make_settings(tmp_path), registry=FakeRegistry(unnamed), store=store, shelf=FakeShelf().shelf())
    async with running(app) as client:
        response = await client.post("/predict?reasons=2", json=CUSTOMER)
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "reasons")
        assert store.predictions == []
        assert (await client.post("/predict", json=CUSTOMER)).status_code == 200


# A model of terms, which takes several columns together


@pytest.fixture(scope="module")
def terms() -> Model:
    known = simulate(CONTRACT, 1_500, seed=4)
    pipeline = build_pipeline(1, form="terms", contract=CONTRACT).fit(known.features, known.labelled)
    return Model(pipeline, make_info("1", CONTRACT.feature_names))


def told(model: Model, **customer: Any) -> dict[str, Reason]:
    explainer = Explainer.of(model, CONTRACT)
    assert explainer is not None
    features = request_model(CONTRACT).model_validate(customer).features()
    attribution = explainer.explain(frame_from_records([features], CONTRACT))
    return {reason.feature: reason for reason in explainer.reasons(attribution, features, 99)}


def test_a_rule_names_what_else_it_asks_for(terms: Model) -> None:
    reasons = told(terms, customer_service_calls=5, total_day_minutes=90.0, total_day_charge=15.3)
    assert re.fullmatch(
        r"customer service calls of 5 is above the typical 1: raises the risk \(with total charge of at most [\d.]+ USD\)",
        reasons["customer_service_calls"].text,
    )
    assert "(with customer service calls of at least 4 and total charge" in reasons["total_day_charge"].text


def test_the_minutes_speak_for_a_charge_that_was_not_said(terms: Model) -> None:
    reasons = told(terms, customer_service_calls=5, total_day_minutes=90.0)
    assert reasons["total_day_minutes"].text.startswith("total day minutes of 90 is below the typical")
    assert "raises the risk (with customer service calls of at least 4" in reasons["total_day_minutes"].text
    assert reasons["total_day_charge"].contribution == 0
    assert reasons["total_day_charge"].text.endswith("makes no difference")


def test_plans_and_levels_are_said_as_the_contract_spells_them(terms: Model) -> None:
    reasons = told(terms, international_plan="Yes", total_intl_calls=1, state="OH")
    assert reasons["international_plan"].text.startswith(
        "international plan is Yes: raises the risk (with total intl calls of at"
    )
    assert "(with international plan Yes" in reasons["total_intl_calls"].text
    assert reasons["state"].text.startswith("state is OH:")
    assert reasons["area_code"].text.startswith("area code is not known, counted as 415")


@pytest.mark.parametrize(
    ("name", "bounds", "said"),
    [
        ("state = NJ", (0.5, np.inf), "state NJ"),
        ("state = NJ", (-np.inf, 0.5), "state other than NJ"),
        ("international_plan", (-np.inf, 0.5), "international plan No"),
        ("customer_service_calls", (3.5, np.inf), "customer service calls of at least 4"),
        ("customer_service_calls", (2.5, 3.5), "customer service calls of 3"),
        ("customer_service_calls", (1.5, 4.5), "customer service calls between 2 and 4"),
        ("total_charge", (-np.inf, 56.666), "total charge of at most 56.67 USD"),
        ("total_day_minutes", (200.0, np.inf), "total day minutes above 200"),
        ("total_day_charge", (30.0, 40.0), "total day charge between 30 and 40 USD"),
    ],
)
def test_a_condition_in_words(terms: Model, name: str, bounds: tuple[float, float], said: str) -> None:
    explainer = Explainer.of(terms, CONTRACT)
    assert explainer is not None
    assert explainer._condition(name, *bounds) == said
