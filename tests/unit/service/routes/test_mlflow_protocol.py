from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.app import create_app
from service.schemas.protocols import InvocationsAnswer
from tests.unit.service.fakes import CUSTOMER, FEATURES, FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running

pytestmark = pytest.mark.anyio
NAMES, ROW = list(CUSTOMER), list(CUSTOMER.values())
ORDERED = [CUSTOMER["total_day_minutes"], CUSTOMER["customer_service_calls"], 1]
CSV = b"total_day_minutes,customer_service_calls,international_plan,state\n265.1,4,Yes,OH\n"


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": NAMES, "data": [ROW]}},
        {"dataframe_split": {"columns": NAMES, "index": [7], "data": [ROW]}},
        {"dataframe_split": {"data": [ORDERED]}},
        {"dataframe_records": [CUSTOMER]},
        {"instances": [CUSTOMER]},
        {"instances": [ORDERED]},
        {"inputs": [CUSTOMER]},
        {"inputs": CUSTOMER},
        {"inputs": {name: [value] for name, value in CUSTOMER.items()}},
        {"inputs": [ORDERED], "params": {"anything": 1}},
    ],
)
async def test_every_input_of_mlflow_is_answered_as_predict_is(client: httpx2.AsyncClient, store: FakeStore, body: Any) -> None:
    assert FEATURES == ["total_day_minutes", "customer_service_calls", "international_plan"]
    probability = (await client.post("/predict", json=CUSTOMER)).json()["churn_probability"]
    response = await client.post("/invocations", json=body)
    assert response.status_code == 200
    answer = InvocationsAnswer.model_validate(response.json())
    assert answer.predictions == [pytest.approx([1 - probability, probability], abs=1e-12)]
    assert answer.prediction_ids == [store.rows[-1].prediction_id]


async def test_csv_is_answered_too(client: httpx2.AsyncClient) -> None:
    probability = (await client.post("/predict", json=CUSTOMER)).json()["churn_probability"]
    response = await client.post("/invocations", content=CSV, headers={"content-type": "text/csv"})
    assert response.headers["content-type"] == "application/json"
    assert response.json()["predictions"][0][1] == pytest.approx(probability, abs=1e-12)


async def test_what_pythons_writer_makes_of_a_missing_number_is_missing(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    bodies = [
        b'{"dataframe_split": {"columns": ["total_day_minutes", "state"], "data": [[%s, "OH"]]}}' % v for v in (b"NaN", b"null")
    ]
    nan, null = [(await client.post("/invocations", content=body, headers=headers)).json()["predictions"] for body in bodies]
    assert nan == null
    infinite = bodies[0].replace(b"NaN", b"Infinity")
    assert (await client.post("/invocations", content=infinite, headers=headers)).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "body"),
        ({"inputs": [CUSTOMER], "instances": [CUSTOMER]}, "body"),
        ({"inputs": [CUSTOMER], "messages": []}, "messages"),
        ({"dataframe_split": []}, "dataframe_split"),
        ({"dataframe_split": {"columns": NAMES}}, "dataframe_split.data"),
        ({"dataframe_split": {"columns": "a", "data": [ROW]}}, "dataframe_split.columns"),
        ({"dataframe_split": {"columns": NAMES, "data": [ROW], "dtype": "x"}}, "dataframe_split.dtype"),
        ({"dataframe_split": {"columns": [*NAMES, NAMES[0]], "data": [[*ROW, 43]]}}, f"dataframe_split.{NAMES[0]}"),
        ({"dataframe_split": {"columns": NAMES, "data": [ROW, ROW[:-1]]}}, "dataframe_split.1"),
        ({"dataframe_split": {"columns": NAMES, "data": [[-1.0, *ROW[1:]]]}}, "dataframe_split.0.total_day_minutes"),
        ({"dataframe_records": [{"shoe_size": 43}]}, "dataframe_records.0"),
        ({"dataframe_records": {}}, "dataframe_records"),
        ({"dataframe_records": [1]}, "dataframe_records.0"),
        ({"instances": [[1]]}, "instances.0"),
        ({"instances": 5}, "instances"),
        ({"inputs": {"total_day_minutes": [1], "state": ["OH", "KS"]}}, "inputs"),
        ({"inputs": {"total_day_minutes": [1], "state": "OH"}}, "inputs.state"),
        ({"inputs": {}}, "inputs.0"),
        ({"inputs": []}, "body"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx2.AsyncClient, store: FakeStore, body: Any, field: str) -> None:
    response = await client.post("/invocations", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert store.rows == []


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": [*NAMES, "shoe_size"], "data": [[*ROW, 43]]}},
        {"dataframe_records": [{**CUSTOMER, "shoe_size": 43}]},
        {"instances": [{**CUSTOMER, "shoe_size": 43}]},
        {"inputs": {**CUSTOMER, "shoe_size": 43}},
        {"inputs": {name: [value] for name, value in {**CUSTOMER, "shoe_size": 43}.items()}},
    ],
)
async def test_unknown_columns_are_ignored_with_a_warning_as_mlflow_does(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, body: Any
) -> None:
    probability = (await client.post("/predict", json=CUSTOMER)).json()["churn_probability"]
    caplog.clear()
    response = await client.post("/invocations", json=body)
    assert response.json()["predictions"][0][1] == pytest.approx(probability, abs=1e-12)
    assert "'shoe_size'" in caplog.text


@pytest.mark.parametrize(
    ("body", "media", "form"),
    [
        ({"columns": NAMES, "data": [ROW]}, "application/json; format=pandas-split", '{"dataframe_split": {...}}'),
        ({"columns": NAMES, "index": [0], "data": [ROW]}, "application/json", '{"dataframe_split": {...}}'),
        ([CUSTOMER], "application/json; format=pandas-records", '{"dataframe_records": [...]}'),
    ],
)
async def test_bodies_of_mlflow_1_are_told_how_to_wrap_them(client: httpx2.AsyncClient, body: Any, media: str, form: str) -> None:
    response = await client.post("/invocations", content=json.dumps(body), headers={"content-type": media})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == "body"
    assert error["problem"].endswith(f"MLflow 1: send {form}")


async def test_ping_tells_whether_there_is_a_model_and_version_whose_protocol(
    client: httpx2.AsyncClient, tmp_path: Path, store: FakeStore
) -> None:
    assert [(await client.get(path)).status_code for path in ("/ping", "/health")] == [200, 200]
    assert (await client.get("/version")).text == version("mlflow-skinny")
    empty = create_app(
        make_settings(tmp_path), registry=FakeRegistry(), store=store, last_known_good=FakeLastKnownGood().last_known_good()
    )
    async with running(empty) as other:
        assert (await other.get("/ping")).status_code == 503
