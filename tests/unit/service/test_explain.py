from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churn.contract import load_contract
from service.app import create_app
from service.explain import Explainer
from service.schemas import PredictionAnswer
from tests.unit.service.fakes import CUSTOMER, FakeRegistry, FakeShelf, FakeStore, make_model, make_settings, running

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
