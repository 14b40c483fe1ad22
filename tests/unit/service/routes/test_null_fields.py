"""Null is as absent in every optional field of every body: clients that are generated from a schema send them all."""

from __future__ import annotations

import types
from typing import Any, get_args

import httpx2
import pytest
from pydantic import BaseModel

from churn.contract import Contract
from service.http.body import parse_json
from service.schemas.contacts import ContactItem, ContactsRequest
from service.schemas.native import OutcomeItem, OutcomesRequest, RequestModels, RollbackBody
from service.schemas.protocols import InferInput, InferOutput, InferRequest, InvocationsRequest
from tests.unit.service.fakes import CUSTOMER

pytestmark = pytest.mark.anyio
INFER = "/v2/models/churn/infer"
TENSOR = {"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [265.1]}


def optional(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if not field.is_required()]


def all_models(contract: Contract) -> set[type[BaseModel]]:
    """Every model that a request's body may hold, found from the bodies."""
    requests = RequestModels.from_contract(contract, 10)
    waiting: list[Any] = [
        OutcomesRequest,
        ContactsRequest,
        RollbackBody,
        InferRequest,
        InvocationsRequest,
        requests.customer,
        requests.batch,
    ]
    found: set[type[BaseModel]] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and not isinstance(one, types.GenericAlias) and issubclass(one, BaseModel):
            if one not in found:
                found.add(one)
                waiting += [field.annotation for field in one.model_fields.values()]
        else:
            waiting += [part for part in get_args(one) if not isinstance(part, str | int)]
    return found


def test_every_model_with_an_optional_field_is_tried_here(contract: Contract) -> None:
    customer = RequestModels.from_contract(contract, 10).customer.__name__
    names = {model.__name__ for model in all_models(contract) if optional(model)}
    reported = {"OutcomeItem", "ContactItem"}
    assert names == {customer, *reported, "InferRequest", "InferInput", "InferOutput", "InvocationsRequest", "RollbackBody"}


@pytest.mark.parametrize("name", optional(InferRequest))
async def test_of_an_inference_request(client: httpx2.AsyncClient, name: str) -> None:
    plain = (await client.post(INFER, json={"inputs": [TENSOR]})).json()
    answer = await client.post(INFER, json={"inputs": [TENSOR], name: None})
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"][0] == plain["outputs"][0]


@pytest.mark.parametrize("name", [name for name in optional(InferInput) if name != "data"])
async def test_of_an_input(client: httpx2.AsyncClient, name: str) -> None:
    assert (await client.post(INFER, json={"inputs": [{**TENSOR, name: None}]})).status_code == 200


@pytest.mark.parametrize("name", optional(InferOutput))
async def test_of_an_output(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.post(INFER, json={"inputs": [TENSOR], "outputs": [{"name": "churn", name: None}]})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["binary_data_size", "shared_memory_region", "content_type"])
async def test_of_an_inputs_parameters(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.post(INFER, json={"inputs": [{**TENSOR, "parameters": {name: None}}]})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["binary_data", "classification", "shared_memory_region"])
async def test_of_an_outputs_parameters(client: httpx2.AsyncClient, name: str) -> None:
    body = {"inputs": [TENSOR], "outputs": [{"name": "churn", "parameters": {name: None}}]}
    answer = await client.post(INFER, json={**body, "parameters": {"binary_data_output": None}})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    # What the request says of all outputs holds for one that says null.
    answer = await client.post(INFER, json={**body, "parameters": {"binary_data_output": True}})
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_of_invocations(client: httpx2.AsyncClient) -> None:
    forms: dict[str, Any] = {
        "dataframe_split": {"columns": list(CUSTOMER), "index": None, "data": [list(CUSTOMER.values())]},
        "dataframe_records": [CUSTOMER],
        "instances": [CUSTOMER],
        "inputs": [CUSTOMER],
    }
    nulls = dict.fromkeys(optional(InvocationsRequest))
    assert set(forms) < set(nulls)
    for name, form in forms.items():
        answer = await client.post("/invocations", json={**nulls, name: form})
        assert answer.status_code == 200, answer.text
    answer = await client.post("/invocations", json={"dataframe_split": {"columns": None, "data": [[265.1, 4, 1]]}})
    assert answer.status_code == 200, answer.text
    assert (await client.post("/invocations", json=nulls)).status_code == 422


@pytest.mark.parametrize("name", [name for name in optional(OutcomeItem) if name not in ("prediction_id", "churned")])
async def test_of_an_outcome(client: httpx2.AsyncClient, name: str) -> None:
    named = (await client.post("/predict", json=CUSTOMER)).json()["prediction_id"]
    answer = await client.post("/outcomes", json={"outcomes": [{"prediction_id": named, "churned": True, name: None}]})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", [name for name in optional(ContactItem) if name != "customer_id"])
async def test_of_a_contact(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.post("/contacts", json={"contacts": [{"customer_id": "c", name: None}]})
    assert answer.status_code == 200, answer.text


async def test_of_a_customer(client: httpx2.AsyncClient, contract: Contract) -> None:
    model = RequestModels.from_contract(contract, 10).customer
    nulls = dict.fromkeys(optional(model))
    plain = (await client.post("/predict", json=CUSTOMER)).json()
    for path, body in (("/predict", {**nulls, **CUSTOMER}), ("/predict/batch", {"customers": [{**nulls, **CUSTOMER}]})):
        answer = (await client.post(path, json=body)).json()
        answer = answer["predictions"][0] if "predictions" in answer else answer
        assert answer["churn_probability"] == plain["churn_probability"]


def test_of_a_rollback() -> None:
    assert optional(RollbackBody) == ["leaving"]
    assert parse_json(RollbackBody, b'{"reason": "too slow", "leaving": null}').leaving is None
