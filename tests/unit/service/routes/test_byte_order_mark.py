"""JSON may begin with a byte order mark, as CSV may: Windows programs write UTF-8 so. No route that reads JSON minds."""

from __future__ import annotations

import codecs
from typing import Any

import httpx2
import orjson
import pytest

from service.app import ServiceApp
from tests.unit.service.fakes import CUSTOMER

pytestmark = pytest.mark.anyio
INFER = "/v2/models/churn/infer"
TENSOR = {"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [265.1]}
OUTCOME = {"customer_id": "nobody", "churned": True}
BODIES: dict[str, Any] = {
    "/predict": CUSTOMER,
    "/predict/batch": {"customers": [CUSTOMER]},
    "/outcomes": {"outcomes": [OUTCOME]},
    "/invocations": {"dataframe_records": [CUSTOMER]},
    INFER: {"inputs": [TENSOR]},
    f"{INFER.replace('/infer', '')}/versions/1/infer": {"inputs": [TENSOR]},
    # After a `#`, which no client sends. With NaN, and with a colon in a text: two more ways through the readers.
    "/invocations#nan": b'{"dataframe_records": [{"total_day_minutes": NaN, "state": "OH"}]}',
    "/predict/batch#colon": {"customers": [{**CUSTOMER, "customer_id": "a:b"}]},
    "/contacts": {"contacts": [{"customer_id": "c-1"}]},
    "/admin/rollback": {"reason": "a drill", "leaving": "99"},
}


@pytest.mark.parametrize("path", BODIES)
async def test_a_mark_changes_no_answer(client: httpx2.AsyncClient, path: str) -> None:
    body = BODIES[path] if isinstance(BODIES[path], bytes) else orjson.dumps(BODIES[path])
    headers = {"content-type": "application/json"}
    plain, marked = [await client.post(path, content=mark + body, headers=headers) for mark in (b"", codecs.BOM_UTF8)]
    assert marked.status_code == plain.status_code
    assert (plain.status_code, "/rollback" in path) in ((200, False), (409, True)), plain.text
    assert marked.json().keys() == plain.json().keys()


async def test_before_a_binary_tensor_the_mark_is_part_of_the_json(client: httpx2.AsyncClient) -> None:
    tensor = {"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}
    head = codecs.BOM_UTF8 + orjson.dumps({"inputs": [tensor]})
    headers = {"Inference-Header-Content-Length": str(len(head)), "content-type": "application/octet-stream"}
    assert (await client.post(INFER, content=head + bytes(8), headers=headers)).status_code == 200


async def test_one_mark_and_no_more(client: httpx2.AsyncClient) -> None:
    body = codecs.BOM_UTF8 * 2 + orjson.dumps(BODIES["/predict/batch"])
    assert (await client.post("/predict/batch", content=body)).status_code == 422


def test_every_route_that_reads_json_is_tried(app: ServiceApp) -> None:
    reading = {
        path
        for path, methods in app.openapi()["paths"].items()
        if "application/json" in methods.get("post", {}).get("requestBody", {}).get("content", {})
    }
    tried = {path.partition("#")[0].replace("/churn", "/{name}").replace("/1/", "/{version}/") for path in BODIES}
    assert reading == tried
