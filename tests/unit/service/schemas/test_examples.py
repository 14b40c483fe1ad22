"""An example in the API's document is one that the service takes, whatever the contract."""

from __future__ import annotations

import html

import httpx2
import pytest

from churn.contract import load_contract, parse_contract
from churn.customers.customer import request_model
from service.app import ServiceApp
from service.schemas.examples import TAGS, example_customer, request_examples

pytestmark = pytest.mark.anyio
CONTRACT = """
name: shop
target: {column: left, source: Left, true_level: "yes", false_level: "no"}
columns:
  - {name: visits, source: Visits, kind: integer, minimum: -9, maximum: -3}
  - {name: few, source: Few, kind: integer, minimum: 2.5, maximum: 3.4}
  - {name: debt, source: Debt, kind: number, maximum: -1.5}
  - {name: spent, source: Spent, kind: number, minimum: 10}
  - {name: age, source: Age, kind: number}
  - {name: loyal, source: Loyal, kind: flag, true_level: oui, false_level: non}
  - {name: plan, source: Plan, kind: category, levels: [basic, gold]}
"""


def test_the_example_is_valid_under_any_contract() -> None:
    shop = parse_contract(CONTRACT, "shop")
    for contract in (load_contract(), shop):
        request_model(contract).model_validate(example_customer(contract))
    assert example_customer(shop) == {
        "customer_id": "c-1",
        "visits": -8,
        "few": 3,
        "debt": -1.5,
        "loyal": "oui",
        "plan": "basic",
    }


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/predict", "Customer"),
        ("/predict/batch", "BatchRequest"),
        ("/outcomes", "OutcomesRequest"),
        ("/contacts", "ContactsRequest"),
        ("/invocations", "InvocationsRequest"),
        ("/v2/models/churn/infer", "InferRequest"),
    ],
)
async def test_the_service_takes_each_example_of_its_document(client: httpx2.AsyncClient, path: str, schema: str) -> None:
    document = (await client.get("/openapi.json")).json()
    (example,) = document["components"]["schemas"][schema]["examples"]
    response = await client.post(path, json=example)
    assert response.status_code == 200, response.text


async def test_the_service_takes_the_example_of_each_body_in_csv(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    taken = set()
    page = (await client.get("/docs")).text
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if "text/csv" in content:
            example = content["text/csv"]["example"]
            response = await client.post(path, content=example, headers={"content-type": "text/csv"})
            assert response.status_code == 200, response.text
            assert f"<pre>{html.escape(example)}</pre>" in page
            taken.add(path)
    assert taken == {"/predict/batch", "/outcomes", "/contacts", "/campaign/candidates", "/invocations"}


async def test_every_body_in_json_has_an_example_and_every_group_of_routes_its_purpose(
    client: httpx2.AsyncClient, app: ServiceApp
) -> None:
    document = (await client.get("/openapi.json")).json()
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    bodies = [operation["requestBody"]["content"] for operation in operations if "requestBody" in operation]
    schemas = {
        content["application/json"]["schema"]["$ref"].rpartition("/")[2] for content in bodies if "application/json" in content
    }
    assert schemas == set(request_examples(app.state.contract))
    assert {tag for operation in operations for tag in operation["tags"]} == {tag["name"] for tag in TAGS}
    page = (await client.get("/docs")).text
    assert "complaints from the call centre" in page
    for tag in TAGS:
        assert tag["name"].capitalize() in page
