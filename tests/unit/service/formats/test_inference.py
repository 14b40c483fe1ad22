"""Inference requests of the Open Inference Protocol into customers, and answers into its responses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
import pytest

from churn.contract import load_contract
from service.formats.inference import SEGMENT, Inference, encode_inference, read_inference
from service.formats.tensors import encode_binary
from service.formats.validation import ColumnRules
from service.http.errors import TooLarge, Unprocessable
from service.schemas.native import RequestModels
from service.schemas.protocols import InferRequest
from service.scoring.scored_batch import BatchSegments, ScoredBatch

CONTRACT = load_contract()
RULES = ColumnRules(CONTRACT, RequestModels.from_contract(CONTRACT, 100).customer)


def tensor(name: str, data: list[Any], datatype: str = "FP64", shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


MINUTES = tensor("total_day_minutes", [180.5, 2.0])


def read(*inputs: dict[str, Any], max_rows: int = 10, **more: Any) -> Inference:
    body = orjson.dumps({"inputs": inputs, **more})
    return read_inference(body, len(body), RULES, max_rows)


def problem(*inputs: dict[str, Any], **more: Any) -> tuple[str, str]:
    with pytest.raises(Unprocessable) as caught:
        read(*inputs, **more)
    first = caught.value.errors[0]
    return str(first.field), first.problem


def test_each_tensor_is_a_column_and_one_may_name_the_customers() -> None:
    state, named = tensor("State", ["OH", None], "BYTES"), tensor("customer_id", ["c1", "c2"], "BYTES")
    minutes = tensor("total_day_minutes", [180.5, None])
    customers = read(minutes, state, named, tensor("international_plan", [True, False], "BOOL")).customers
    assert list(customers.customer_ids or ()) == ["c1", "c2"]
    numbers = customers.values["total_day_minutes"]
    assert numbers[0] == 180.5
    assert np.isnan(numbers[1])
    levels = CONTRACT["state"].levels
    assert levels is not None
    assert customers.values["state"].tolist() == [levels.index("OH"), -1]
    assert customers.values["international_plan"].tolist() == [1.0, 0.0]


def test_a_column_may_be_a_matrix_of_one() -> None:
    customers = read({**MINUTES, "shape": [2, 1], "data": [[1.0], [2.0]]}).customers
    assert customers.values["total_day_minutes"].tolist() == [1.0, 2.0]


def test_one_tensor_may_hold_all_numbers_in_the_contracts_order() -> None:
    names = CONTRACT.numeric_features
    width = len(names)
    # Nothing but zeros keeps every rule that columns have among each other; these two have none.
    given = {"account_length": 7.0, "customer_service_calls": 3.0}
    rows = [[given.get(name, 0.0) + (row if name in given else 0) for name in names] for row in range(2)]
    matrix = {"name": "numbers", "shape": [2, width], "datatype": "FP64", "data": rows}
    customers = read(matrix).customers
    assert {name: customers.values[name].tolist() for name in given} == {
        "account_length": [7.0, 8.0],
        "customer_service_calls": [3.0, 4.0],
    }
    shape = ("inputs.0.shape", f"must be [n] or [n, 1] for a feature, or [n, {width}] for one tensor of all numeric features")
    assert problem({**matrix, "shape": [2, width - 1], "data": [row[1:] for row in rows]}) == shape
    assert problem({**matrix, "name": "total_day_minutes"}) == shape
    assert problem({**matrix, "datatype": "BYTES", "data": [["a"] * width] * 2}) == shape
    assert problem(MINUTES, {**matrix, "shape": [2, 2], "data": [[1.0, 2.0]] * 2})[0] == "inputs.1.shape"


def test_nan_is_a_missing_number_in_json() -> None:
    body = orjson.dumps({"inputs": [tensor("account_length", [1.0]), MINUTES | {"shape": [1], "data": [7.25]}]})
    customers = read_inference(body.replace(b"7.25", b"NaN"), len(body) - 1, RULES, 10).customers
    assert np.isnan(customers.values["total_day_minutes"][0])


def test_a_row_that_breaks_a_rule_is_named() -> None:
    state = tensor("state", ["OH"], "BYTES")
    assert problem(state, tensor("total_day_minutes", [-1.0]))[0] == "inputs.0.total_day_minutes"
    assert problem(tensor("total_day_minutes", [1.0, -1.0]))[0] == "inputs.1.total_day_minutes"
    assert problem(tensor("no_such_column", [1.0]))[0].startswith("inputs.no_such_column")


def test_all_tensors_have_as_many_rows_and_no_more_than_may_be() -> None:
    assert problem(MINUTES, tensor("account_length", [1.0])) == ("inputs", "all tensors need the same number of rows")
    assert len(read(MINUTES, max_rows=2).customers) == 2
    with pytest.raises(TooLarge):
        read(tensor("account_length", [1.0]), MINUTES, max_rows=1)
    assert problem(tensor("account_length", [], shape=[0]))[0] == "body"


@pytest.mark.parametrize(
    ("outputs", "field", "words"),
    [
        ([{"name": "churn"}, {"name": "churn"}], "outputs.1.name", "is asked for twice; name each output once"),
        (
            [{"name": "churn"}, {"name": "other"}],
            "outputs.1.name",
            "must be one of churn_probability, churn, prediction_id, segment",
        ),
        ([{"name": "churn", "parameters": {"classification": 1}}], "outputs.0.parameters.classification", "is not supported"),
        (
            [{"name": "churn", "parameters": {"shared_memory_region": "a"}}],
            "outputs.0.parameters.shared_memory_region",
            "is not supported",
        ),
        ([{"name": 1}], "outputs.0.name", "must be a text"),
    ],
)
def test_an_output_that_cannot_be_answered_is_refused(outputs: list[dict[str, Any]], field: str, words: str) -> None:
    assert problem(MINUTES, outputs=outputs) == (field, words)


def test_segments_are_found_only_if_they_are_asked_for() -> None:
    assert not read(MINUTES).asks_segment
    assert not read(MINUTES, outputs=[{"name": "churn"}]).asks_segment
    assert read(MINUTES, outputs=[{"name": "churn"}, {"name": SEGMENT}]).asks_segment


def test_tensors_may_follow_the_json_in_binary() -> None:
    data = encode_binary("FP64", np.array([1.0, 2.0]))
    described = {"name": "account_length", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": len(data)}}
    text = orjson.dumps({"inputs": [described]})
    found = read_inference(text + data, len(text), RULES, 10)
    assert found.customers.values["account_length"].tolist() == [1.0, 2.0]


BATCH = cast(
    ScoredBatch,
    SimpleNamespace(
        probabilities=np.array([0.25, 0.75]), churn=np.array([False, True]), prediction_ids=["p1", "p2"], model_version="7",
        threshold=0.5, segments=BatchSegments(np.array([1, 0], np.int8), ["a", "b"]),
    ),
)  # fmt: skip
DATA = {
    "churn_probability": ("FP64", [0.25, 0.75]),
    "churn": ("BOOL", [False, True]),
    "prediction_id": ("BYTES", ["p1", "p2"]),
    "segment": ("BYTES", ["b", "a"]),
}


def answered(**more: Any) -> tuple[dict[str, Any], bytes]:
    request = InferRequest.model_validate({"inputs": [MINUTES], **more})
    body, length = encode_inference(request, BATCH, "churn")
    return orjson.loads(body[:length]), b"" if length is None else body[length:]


def test_all_but_segments_is_answered_where_nothing_is_named() -> None:
    found, rest = answered()
    outputs = found.pop("outputs")
    assert found == {"model_name": "churn", "model_version": "7", "parameters": {"threshold": 0.5}}
    assert outputs == [
        {"name": name, "datatype": datatype, "shape": [2], "data": values}
        for name, (datatype, values) in DATA.items()
        if name != "segment"
    ]
    assert rest == b""


def test_what_is_named_is_answered_in_that_order_with_the_request_s_id() -> None:
    found, _ = answered(id="mine", outputs=[{"name": "segment"}, {"name": "churn"}])
    assert found["id"] == "mine"
    assert [(one["name"], one["datatype"], one["data"]) for one in found["outputs"]] == [
        (name, *DATA[name]) for name in ("segment", "churn")
    ]
    none = cast(ScoredBatch, SimpleNamespace(**{**vars(BATCH), "segments": None}))
    request = InferRequest.model_validate({"inputs": [MINUTES], "outputs": [{"name": "churn"}]})
    assert orjson.loads(encode_inference(request, none, "churn")[0])["outputs"][0]["data"] == [False, True]


@pytest.mark.parametrize(
    ("whole", "one", "is_binary"),
    [(None, True, True), (True, None, True), (True, False, False), (None, None, False), (1, None, False)],
)
def test_an_output_is_in_binary_if_it_is_asked_for_so(whole: Any, one: Any, is_binary: bool) -> None:
    parameters = {} if whole is None else {"binary_data_output": whole}
    output = {"name": "churn_probability", "parameters": {} if one is None else {"binary_data": one}}
    found, rest = answered(parameters=parameters, outputs=[output])
    expected = encode_binary("FP64", BATCH.probabilities)
    (told,) = found["outputs"]
    assert (rest, "data" in told) == ((expected, False) if is_binary else (b"", True))
    assert told.get("parameters") == ({"binary_data_size": len(expected)} if is_binary else None)


def test_tensors_in_binary_follow_one_another() -> None:
    found, rest = answered(parameters={"binary_data_output": True})
    parts = [encode_binary(*DATA[name]) for name in ("churn_probability", "churn", "prediction_id")]
    assert rest == b"".join(parts)
    assert [one["parameters"]["binary_data_size"] for one in found["outputs"]] == [len(part) for part in parts]
