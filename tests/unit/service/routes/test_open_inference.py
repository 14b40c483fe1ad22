from __future__ import annotations

import math
import struct
from typing import Any

import httpx2
import numpy as np
import orjson
import pytest

from churn.contract import Contract
from service.schemas.protocols import InferAnswer, ModelMetadata
from tests.unit.service.fakes import CUSTOMER, FakeStore

pytestmark = pytest.mark.anyio
INFER = "/v2/models/churn/infer"
COLUMNS = [
    {"name": "total_day_minutes", "shape": [2], "datatype": "FP64", "data": [265.1, None]},
    {"name": "customer_service_calls", "shape": [2, 1], "datatype": "INT32", "data": [[4], [4]]},
    {"name": "international_plan", "shape": [2], "datatype": "BOOL", "data": [True, True]},
    {"name": "state", "shape": [2], "datatype": "BYTES", "data": ["OH", ""]},
    {"name": "customer_id", "shape": [2], "datatype": "BYTES", "data": ["a", None]},
]


def texts(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(v.encode())) + v.encode() for v in values)


def binary(inputs: list[tuple[dict[str, Any], bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    document = {"inputs": [{**one, "parameters": {"binary_data_size": len(data)}} for one, data in inputs], **more}
    head = orjson.dumps(document)
    headers = {"Inference-Header-Content-Length": str(len(head)), "content-type": "application/octet-stream"}
    return head + b"".join(data for _, data in inputs), headers


async def singles(client: httpx2.AsyncClient) -> list[float]:
    customers = (CUSTOMER, {**CUSTOMER, "total_day_minutes": None, "state": None})
    return [(await client.post("/predict", json=customer)).json()["churn_probability"] for customer in customers]


async def test_a_tensor_a_column_is_answered_as_predict_is(client: httpx2.AsyncClient, store: FakeStore) -> None:
    expected = await singles(client)
    logged = [row.features for row in store.rows]
    store.rows.clear()
    response = await client.post(INFER, json={"id": "r-1", "inputs": COLUMNS})
    answer = InferAnswer.model_validate(response.json())
    assert (answer.model_name, answer.model_version, answer.id) == ("churn", "1", "r-1")
    outputs = {one.name: one for one in answer.outputs}
    assert list(outputs) == ["churn_probability", "churn", "prediction_id"]
    assert outputs["churn_probability"].data == pytest.approx(expected, abs=1e-12)
    assert outputs["churn"].data == [probability >= 0.5 for probability in expected]
    assert outputs["prediction_id"].data == [row.prediction_id for row in store.rows]
    assert [row.customer_id for row in store.rows] == ["a", None]
    assert [row.features for row in store.rows] == logged


async def test_one_tensor_holds_all_numeric_features(client: httpx2.AsyncClient, store: FakeStore, contract: Contract) -> None:
    expected = await singles(client)
    names = contract.numeric_features
    matrix = np.full((2, len(names)), np.nan)
    for name in ("total_day_minutes", "customer_service_calls", "international_plan"):
        matrix[:, names.index(name)] = {"Yes": 1.0}.get(str(CUSTOMER[name]), 0) or float(str(CUSTOMER[name]))
    matrix[1, names.index("total_day_minutes")] = np.nan
    one = {"name": "customers", "shape": [2, len(names)], "datatype": "FP64"}
    state = ({"name": "state", "shape": [2], "datatype": "BYTES"}, texts("OH", ""))
    body, headers = binary([(one, matrix.tobytes()), state])
    response = await client.post(INFER, content=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["outputs"][0]["data"] == pytest.approx(expected, abs=1e-12)
    assert store.rows[-1].features == store.rows[1].features
    nested = {**one, "data": [[None if math.isnan(value) else value for value in row] for row in matrix.tolist()]}
    flat = {**one, "data": [value for row in nested["data"] for value in row]}
    for tensor in (nested, flat):
        response = await client.post(INFER, json={"inputs": [tensor]})
        assert response.json()["outputs"][0]["data"] == pytest.approx(expected, abs=1e-12)


async def test_texts_in_base64_are_decoded_where_the_client_says_so(client: httpx2.AsyncClient, store: FakeStore) -> None:
    minutes = {"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [265.1]}
    named = {"name": "customer_id", "shape": [1], "datatype": "BYTES", "parameters": {"content_type": "base64"}}
    answer = await client.post(INFER, json={"inputs": [minutes, {**named, "data": ["w6ktMQ=="]}]})
    assert answer.status_code == 200, answer.text
    assert store.rows[-1].customer_id == "é-1"
    head = orjson.dumps(
        {
            "inputs": [
                {**named, "parameters": {"content_type": "base64", "binary_data_size": 12}},
                {**minutes, "data": [265.1]},
            ]
        }
    )
    headers = {"Inference-Header-Content-Length": str(len(head)), "content-type": "application/octet-stream"}
    answer = await client.post(INFER, content=head + texts("w6ktMQ=="), headers=headers)
    assert answer.status_code == 200, answer.text
    assert store.rows[-1].customer_id == "é-1"


@pytest.mark.parametrize("text", ["c-1", "w6ktMQ", "/w==", "ü"])
async def test_what_is_no_text_in_base64_is_refused_and_not_stored(
    client: httpx2.AsyncClient, store: FakeStore, text: str
) -> None:
    named = {"name": "customer_id", "shape": [1], "datatype": "BYTES", "data": [text], "parameters": {"content_type": "base64"}}
    answer = await client.post(
        INFER, json={"inputs": [{"name": "state", "shape": [1], "datatype": "BYTES", "data": ["OH"]}, named]}
    )
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "inputs.1", "problem": "must be texts in UTF-8, in base64, as its content_type says"}
    ]
    assert store.rows == []


@pytest.mark.parametrize("content_type", ["str", "np", "pd", None])
async def test_texts_that_are_texts_already_may_be_said_to_be(
    client: httpx2.AsyncClient, store: FakeStore, content_type: str | None
) -> None:
    state = {"name": "state", "shape": [1], "datatype": "BYTES", "data": ["OH"], "parameters": {"content_type": content_type}}
    answer = await client.post(INFER, json={"inputs": [state]})
    assert answer.status_code == 200, answer.text
    assert orjson.loads(store.rows[-1].features)["state"] == "OH"


@pytest.mark.parametrize("content_type", ["image", "datetime", "hg_json", "BASE64", "", 1, ["base64"], {}])
async def test_texts_of_a_type_that_nobody_here_decodes_are_refused_and_not_stored(
    client: httpx2.AsyncClient, store: FakeStore, content_type: Any
) -> None:
    minutes = {"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [265.1]}
    named = {
        "name": "customer_id",
        "shape": [1],
        "datatype": "BYTES",
        "data": ["c"],
        "parameters": {"content_type": content_type},
    }
    answer = await client.post(INFER, json={"inputs": [minutes, named]})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "inputs.1.parameters.content_type", "problem": "must be one of str, np, pd, base64, or absent"}
    ]
    assert store.rows == []


@pytest.mark.parametrize(("datatype", "code"), [("FP32", "f"), ("INT8", "b"), ("UINT64", "Q"), ("INT16", "h")])
async def test_binary_numbers_of_every_width(client: httpx2.AsyncClient, store: FakeStore, datatype: str, code: str) -> None:
    body, headers = binary(
        [({"name": "total_day_calls", "shape": [3], "datatype": datatype}, struct.pack(f"<3{code}", 1, 2, 100))]
    )
    assert (await client.post(INFER, content=body, headers=headers)).status_code == 200
    assert [orjson.loads(row.features)["total_day_calls"] for row in store.rows] == [1.0, 2.0, 100.0]


async def test_outputs_are_those_asked_for_and_binary_where_asked(client: httpx2.AsyncClient) -> None:
    outputs = [{"name": "prediction_id", "parameters": {"binary_data": True}}, {"name": "churn"}]
    response = await client.post(INFER, json={"inputs": COLUMNS, "outputs": outputs})
    length = int(response.headers["inference-header-content-length"])
    answer = orjson.loads(response.content[:length])
    ids, churn = answer["outputs"]
    assert "data" not in ids
    assert churn["data"] == [True, False]
    rest = response.content[length:]
    assert ids["parameters"] == {"binary_data_size": len(rest)}
    assert (len(rest), struct.unpack_from("<I", rest)[0]) == (2 * 40, 36)
    everything = await client.post(INFER, json={"inputs": COLUMNS, "parameters": {"binary_data_output": True}})
    length = int(everything.headers["inference-header-content-length"])
    probabilities = np.frombuffer(everything.content[length : length + 16], "<f8")
    assert (probabilities >= 0.5).tolist() == [bool(byte) for byte in everything.content[length + 16 : length + 18]]


async def test_metadata_names_every_feature_and_output(client: httpx2.AsyncClient, contract: Contract) -> None:
    for path in ("/v2/models/churn", "/v2/models/churn/versions/1"):
        metadata = ModelMetadata.model_validate((await client.get(path)).json())
        assert [one.name for one in metadata.inputs] == [*contract.feature_names, "customer_id"]
        assert metadata.parameters["tensor_columns"] == contract.numeric_features
        assert metadata.versions == ["1"]
    assert (await client.get("/v2")).json()["extensions"] == ["binary_tensor_data"]
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/churn/ready", "/v2/models/churn/versions/1/ready"):
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v2/models/other", "/v2/models/churn/versions/2", "/v2/models/churn/versions/2/ready", "/v2/x"]
)
async def test_another_model_or_version_is_404_with_the_clients_error(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert isinstance(response.json()["error"], str)
    assert (await client.post(path.removesuffix("/ready") + "/infer", json={})).status_code in (404, 405)


def one(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "total_day_minutes", "shape": [1], "datatype": "FP64", "data": [1.0], **changes}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        (one(shape=[2]), "inputs.0.shape"),
        (one(shape=[-1]), "inputs.0.shape.0"),
        (one(shape=[]), "inputs.0.shape"),
        (one(shape=[1, 1, 1]), "inputs.0.shape"),
        (one(shape=[2**31 - 1, 2**31 - 1]), None),
        (one(shape=[1, 3], data=[1, 2, 3]), "inputs.0.shape"),
        (one(name="x", shape=[1, 3], data=[1, 2, 3]), "inputs.0.shape"),
        (one(name="shoe_size"), "inputs.shoe_size"),
        (one(datatype="FP128"), "inputs.0.datatype"),
        (one(datatype="BYTES"), "inputs.0.data"),
        (one(datatype="INT64"), "inputs.0.data"),
        (one(datatype="BOOL"), "inputs.0.data"),
        (one(data=["1"]), "inputs.0.data"),
        (one(data=[[1.0]]), "inputs.0.data"),
        (one(data=[True]), "inputs.0.data"),
        (one(data={}), "inputs.0.data"),
        (one(data=[-1.0]), "inputs.0.total_day_minutes"),
        (one(datatype="BYTES", data=["12 min"]), "inputs.0.total_day_minutes"),
        (one(datatype="BOOL", data=[True]), "inputs.0.total_day_minutes"),
        (one(name="customer_id", data=[1.5]), "inputs.0.customer_id"),
        (one(parameters={"shared_memory_region": "x"}), "inputs.0.parameters"),
        (one(parameters={"binary_data_size": 8}), "inputs.0.parameters.binary_data_size"),
        (one(parameters={"binary_data_size": True}), "inputs.0.parameters.binary_data_size"),
        ({"inputs": one()["inputs"] * 2}, "inputs.total_day_minutes"),
        ({"inputs": [*one()["inputs"], *one(name="state", shape=[2], datatype="BYTES", data=["OH"] * 2)["inputs"]]}, "inputs"),
        ({**one(), "outputs": [{"name": "logit"}]}, "outputs.0.name"),
        ({**one(), "outputs": [{"name": "churn", "parameters": {"classification": 1}}]}, "outputs.0.parameters.classification"),
    ],
)
async def test_what_is_wrong_is_named(client: httpx2.AsyncClient, store: FakeStore, body: Any, field: str | None) -> None:
    response = await client.post(INFER, json=body)
    assert response.status_code == (422 if field else 413)
    assert [error["field"] for error in response.json()["errors"]] == ([field] if field else [])
    assert response.json()["error"]
    assert store.rows == []


async def test_binary_that_lies_is_422(client: httpx2.AsyncClient) -> None:
    fp64 = {"name": "total_day_minutes", "shape": [1], "datatype": "FP64"}
    state = {"name": "state", "shape": [1], "datatype": "BYTES"}
    plan = {"name": "international_plan", "shape": [1], "datatype": "BOOL"}
    whole, headers = binary([(fp64, struct.pack("<d", 1.0))])
    bodies = [binary([(fp64, b"\0" * 7)]), binary([(fp64, b"\0" * 16)]), binary([(state, struct.pack("<I", 2**32 - 1))])]
    bodies += [binary([(state, b"\x01\0")]), binary([(state, texts("OH", "KS"))]), binary([(state, b"\x01\0\0\0\xff")])]
    bodies += [binary([(plan, b"\x02")]), (whole + b"more", headers), (whole[:-1], headers)]
    bodies += [(whole, {**headers, "Inference-Header-Content-Length": length}) for length in ("-1", "x", "99999", "0", "9" * 30)]
    for body, head in bodies:
        response = await client.post(INFER, content=body, headers=head)
        assert response.status_code == 422, (body, head)
    assert (await client.post(INFER, content=whole, headers=headers)).status_code == 200
