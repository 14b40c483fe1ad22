from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest

from churn.errors import StoreError
from churn.modeling.model import Model
from service.app import create_app
from service.http import errors
from service.schemas.native import BatchAnswer, PredictionAnswer
from tests.unit.service.fakes import (
    CUSTOMER,
    FEATURES,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_model,
    make_settings,
    running,
)

pytestmark = pytest.mark.anyio


def own_probability(registry: FakeRegistry, customer: dict[str, Any]) -> float:
    model = registry.models[registry.champion or ""]
    assert isinstance(model, Model)
    row = [float({"Yes": 1.0, "No": 0.0}.get(v, v)) if (v := customer.get(name)) is not None else np.nan for name in FEATURES]
    return float(model.pipeline.predict_proba(pd.DataFrame([row], columns=FEATURES))[0, 1])


async def test_answer_is_the_pipelines_own_and_is_what_is_logged(
    client: httpx2.AsyncClient, store: FakeStore, registry: FakeRegistry
) -> None:
    response = await client.post("/predict", json={**CUSTOMER, "customer_id": "c-1"})
    assert response.status_code == 200
    body = response.json()
    PredictionAnswer.model_validate(body)
    assert set(body) == {"prediction_id", "customer_id", "churn_probability", "churn", "action", "threshold", "model_version"}
    assert body["churn_probability"] == pytest.approx(own_probability(registry, CUSTOMER), abs=1e-12)
    assert body["churn"] is (body["churn_probability"] >= 0.5)
    assert uuid.UUID(body["prediction_id"]).version == 7
    (logged,) = store.rows
    assert body.pop("action") == ("contact" if logged.churn else "none")
    assert {name: getattr(logged, name) for name in body} == body
    features = json.loads(logged.features)
    assert features["international_plan"] is True
    assert features["account_length"] is None


async def test_missing_and_null_numbers_are_imputed_alike(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    absent = {"customer_service_calls": 4, "international_plan": "No"}
    answers = [await client.post("/predict", json=c) for c in (absent, {**absent, "total_day_minutes": None})]
    assert [a.json()["churn_probability"] for a in answers] == pytest.approx([own_probability(registry, absent)] * 2, abs=1e-12)


async def test_threshold_itself_is_churn(tmp_path: Path, store: FakeStore) -> None:
    model = make_model()
    row = pd.DataFrame([[265.1, 4.0, 1.0]], columns=FEATURES)
    exact = float(model.predict_probability(row)[0])
    at_threshold = type(model)(model.pipeline, model.info.model_copy(update={"threshold": exact}))
    app = create_app(
        make_settings(tmp_path),
        registry=FakeRegistry(at_threshold),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(app) as client:
        assert (await client.post("/predict", json=CUSTOMER)).json()["churn"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"total_day_minutes": -1}', "total_day_minutes"),
        (b'{"total_day_minutes": NaN}', "total_day_minutes"),
        (b'{"total_day_minutes": Infinity}', "total_day_minutes"),
        (b'{"total_day_minutes": 1e999}', "total_day_minutes"),
        (b'{"total_day_minutes": "12 min"}', "total_day_minutes"),
        (b'{"total_day_minutes": 1, "Total day minutes": 1}', "total_day_minutes"),
        (b'{"account_length": 1.5}', "account_length"),
        (b'{"international_plan": "maybe"}', "international_plan"),
        (b'{"area_code": [1]}', "area_code"),
        (b'{"total_day_minutes": 1, "shoe_size": 43}', "shoe_size"),
        (b'{"total_day_minutes": 1, "customer_id": "a\\u0000b"}', "customer_id"),
        (b'{"total_day_minutes": 1, "customer_id": "\\ud800"}', "body"),
        (b'{"total_day_minutes": ' + b"9" * 5000 + b"}", "body"),
        (b"{}", "body"),
        (b'{"customer_id": "c-1"}', "body"),
        (b"[]", "body"),
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 10_000, "body"),
    ],
)
async def test_bad_customer_is_422_and_not_logged(client: httpx2.AsyncClient, store: FakeStore, body: bytes, field: str) -> None:
    response = await client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert store.rows == []


async def test_problem_never_repeats_a_customers_value(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/predict", json={"customer_id": "Jane Secret", "total_day_minutes": -987654.0, "state": "Narnia"}
    )
    assert response.status_code == 422
    assert not any(value in response.text for value in ("Jane", "987654", "Narnia"))


async def test_duplicate_keys_are_no_server_error(client: httpx2.AsyncClient) -> None:
    body = b'{"total_day_minutes": 1, "total_day_minutes": 2}'
    assert (await client.post("/predict", content=body, headers={"content-type": "application/json"})).status_code < 500


@pytest.mark.parametrize(
    ("route", "media_type"),
    [
        ("/predict", "text/csv"),
        *((route, "application/x-www-form-urlencoded") for route in ("/predict", "/outcomes", "/contacts")),
    ],
)
async def test_other_media_types_are_415(client: httpx2.AsyncClient, route: str, media_type: str) -> None:
    response = await client.post(route, content=b"a,b\n1,2", headers={"content-type": media_type})
    assert (response.status_code, response.json()["status"]) == (415, 415)


@pytest.mark.parametrize(
    "route",
    ["/predict", "/predict/batch", "/campaign/candidates", "/invocations", "/v2/models/churn/infer", "/outcomes", "/contacts"],
)
@pytest.mark.parametrize("media_type", ["application/json", "text/csv", "application/octet-stream"])
async def test_what_says_that_it_is_not_utf_8_is_415_on_every_route(
    client: httpx2.AsyncClient, store: FakeStore, route: str, media_type: str
) -> None:
    headers = {"content-type": f"{media_type}; charset=ISO-8859-1"}
    response = await client.post(route, content='{"customer_id": "Jörg"}'.encode("latin-1"), headers=headers)
    assert response.status_code == 415
    assert (store.rows, store.contacts) == ([], [])


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json", ""])
async def test_json_by_any_name_is_read(client: httpx2.AsyncClient, media_type: str) -> None:
    response = await client.post("/predict", content=b'{"total_day_minutes": 1}', headers={"content-type": media_type})
    assert response.status_code == 200


async def test_batch_answers_as_single_requests_do_in_order(client: httpx2.AsyncClient, store: FakeStore) -> None:
    customers = [{**CUSTOMER, "customer_id": f"c{n}", "total_day_minutes": 50.0 * n} for n in range(4)]
    response = await client.post("/predict/batch", json={"customers": customers})
    assert response.status_code == 200
    body = response.json()
    BatchAnswer.model_validate(body)
    singles = [(await client.post("/predict", json=customer)).json() for customer in customers]
    assert body["model_version"] == "1"
    assert [p["customer_id"] for p in body["predictions"]] == ["c0", "c1", "c2", "c3"]
    for one, single in zip(body["predictions"], singles, strict=True):
        assert set(one) == set(single)
        assert one["churn_probability"] == pytest.approx(single["churn_probability"], abs=1e-12)
    assert [p.prediction_id for p in store.rows[:4]] == [p["prediction_id"] for p in body["predictions"]]


async def test_one_bad_row_names_itself_and_nothing_is_logged(client: httpx2.AsyncClient, store: FakeStore) -> None:
    customers = [CUSTOMER, CUSTOMER, CUSTOMER, {**CUSTOMER, "total_day_minutes": -5}]
    response = await client.post("/predict/batch", json={"customers": customers})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["customers.3.total_day_minutes"]
    assert store.rows == []


@pytest.mark.parametrize(
    "body", [{"customers": []}, {}, {"customers": None}, {"customers": [{}]}, {"customers": [CUSTOMER], "x": 1}]
)
async def test_empty_or_misspelled_batch_is_422(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/predict/batch", json=body)).status_code == 422


async def test_at_most_100_problems_are_listed_of_all(client: httpx2.AsyncClient) -> None:
    response = await client.post("/predict/batch", json={"customers": [{"state": 1}] * 150})
    assert len(response.json()["errors"]) == 100
    assert response.json()["detail"].startswith("150 problems")


async def test_customer_of_unreasonable_size_is_413(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/predict", json={f"x{n}": 1 for n in range(10_000)})).status_code == 413


async def test_more_problems_than_can_be_described_are_counted(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "MAX_DESCRIBED_ERRORS", 5)
    response = await client.post("/predict", json={f"x{n}": 1 for n in range(6)})
    assert (response.status_code, response.json()["detail"]) == (422, "6 problems found.")
    assert [e["field"] for e in response.json()["errors"]] == ["body"]


async def test_too_many_rows_or_bytes_are_413_announced_or_not(tmp_path: Path, store: FakeStore, registry: FakeRegistry) -> None:
    settings = make_settings(tmp_path, max_batch_rows=3, max_body_bytes=1024)
    app = create_app(settings, registry=registry, store=store, last_known_good=FakeLastKnownGood().last_known_good())
    small = {"total_day_minutes": 1}

    async def chunks(size: int) -> Any:
        for _ in range(size):
            yield b" " * 100

    json_type = {"content-type": "application/json"}
    async with running(app) as client:
        rows = await client.post("/predict/batch", json={"customers": [small] * 4})
        assert (rows.status_code, rows.json()["type"]) == (413, "urn:churn:problem:too-large")
        assert (await client.post("/predict/batch", json={"customers": [small] * 3})).status_code == 200
        store.rows.clear()
        outcome = {"prediction_id": "p", "churned": True}
        assert (await client.post("/outcomes", json={"outcomes": [outcome] * 4})).status_code == 413
        for route in ("/predict", "/predict/batch", "/outcomes"):
            assert (await client.post(route, content=b" " * 1025, headers=json_type)).status_code == 413
            assert (await client.post(route, content=chunks(11), headers=json_type)).status_code == 413
            assert (await client.post(route, content=chunks(10), headers=json_type)).status_code == 422
    assert store.rows == []
    assert store.outcomes == []


async def test_while_the_store_is_away_answers_go_on(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away = True
    for route, body in (("/predict", CUSTOMER), ("/predict/batch", {"customers": [CUSTOMER]})):
        assert (await client.post(route, json=body)).status_code == 200
    assert (await client.get("/readyz")).json()["log"] == "spool"
    assert store.rows == []


async def test_neither_store_nor_spool_is_503_without_a_probability_and_recovers(
    spoolless: httpx2.AsyncClient, store: FakeStore
) -> None:
    store.away, client = True, spoolless
    for route, body in (("/predict", CUSTOMER), ("/predict/batch", {"customers": [CUSTOMER]})):
        response = await client.post(route, json=body)
        assert response.status_code == 503
        assert response.json()["type"] == "urn:churn:problem:store-away"
        assert response.headers["retry-after"] == "1"
        assert "probability" not in response.text
        assert "secret" not in response.text
    store.away = False
    assert (await client.post("/predict", json=CUSTOMER)).status_code == 200


async def test_unexpected_error_is_a_generic_500(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away, store.error = True, RuntimeError("Jane Secret")
    response = await client.post("/predict", json=CUSTOMER)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "Jane" not in response.text
    store.away, store.error = False, StoreError("")
    assert (await client.post("/predict", json=CUSTOMER)).status_code == 200


async def test_answer_waits_for_the_commit(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.gate.clear()
    request = asyncio.create_task(client.post("/predict", json=CUSTOMER))
    await asyncio.to_thread(store.writing.wait, 10)
    assert not request.done()
    assert (await client.get("/healthz")).status_code == 200  # the loop is free meanwhile
    assert not request.done()
    store.gate.set()
    assert (await request).status_code == 200


async def test_without_a_model_predictions_are_503(tmp_path: Path, store: FakeStore) -> None:
    app = create_app(
        make_settings(tmp_path), registry=FakeRegistry(), store=store, last_known_good=FakeLastKnownGood().last_known_good()
    )
    async with running(app) as client:
        for response in (
            await client.post("/predict", json=CUSTOMER),
            await client.post("/predict/batch", json={"customers": [CUSTOMER]}),
            await client.get("/model"),
        ):
            assert (response.status_code, response.json()["type"]) == (503, "urn:churn:problem:no-model")
    assert store.rows == []
