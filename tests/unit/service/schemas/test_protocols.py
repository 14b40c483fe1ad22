"""Bodies of others' protocols: null is as absent, what is new is ignored, and sizes have limits."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from service.schemas.protocols import (
    InferInput,
    InferRequest,
    InvocationsRequest,
    LiveAnswer,
    ModelReadyAnswer,
    ServerReadyAnswer,
)

TENSOR: dict[str, Any] = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}


def test_null_is_as_absent_and_what_is_new_is_ignored() -> None:
    found = InferRequest.model_validate(
        {"id": None, "parameters": None, "outputs": None, "new": 1, "inputs": [TENSOR | {"parameters": {"a": None, "b": 1}}]}
    )
    assert (found.id, found.parameters, found.outputs) == (None, {}, [])
    assert found.inputs[0].parameters == {"b": 1}
    bare = InferRequest.model_validate({"inputs": [TENSOR], "outputs": [{"name": "y"}]})
    assert (bare.inputs[0].parameters, bare.outputs[0].parameters) == ({}, {})
    body = InvocationsRequest.model_validate({"instances": [1], "new": 2})
    assert (body.dataframe_split, body.dataframe_records, body.inputs, body.params) == (None, None, None, None)
    assert (LiveAnswer().live, ServerReadyAnswer().ready, ModelReadyAnswer(name="m").ready) == (True, True, True)


@pytest.mark.parametrize(
    ("limit", "over"),
    [
        ({"shape": [2**31 - 1, 0]}, {"shape": [2**31, 1]}),
        ({"shape": [0]}, {"shape": [-1]}),
        ({"shape": [1, 1]}, {"shape": [1, 1, 1]}),
        ({"shape": [1]}, {"shape": []}),
        ({"name": "x" * 200}, {"name": "x" * 201}),
        ({"datatype": "x" * 20}, {"datatype": "x" * 21}),
        ({"shape": [1]}, {"shape": [1.0]}),
        ({"name": "1"}, {"name": 1}),
        ({"parameters": {}}, {"parameters": []}),
    ],
)
def test_a_tensor_has_limits(limit: dict[str, Any], over: dict[str, Any]) -> None:
    assert InferInput.model_validate(TENSOR | limit)
    with pytest.raises(ValidationError):
        InferInput.model_validate(TENSOR | over)


@pytest.mark.parametrize(
    ("limit", "over"),
    [
        ({"id": "x" * 200}, {"id": "x" * 201}),
        ({"inputs": [TENSOR] * 10_000}, {"inputs": [TENSOR] * 10_001}),
        ({"inputs": [TENSOR]}, {"inputs": []}),
        ({"outputs": [{"name": "x" * 200}] * 100}, {"outputs": [{"name": "x"}] * 101}),
        ({"outputs": []}, {"outputs": [{"name": "x" * 201}]}),
    ],
)
def test_a_request_has_limits(limit: dict[str, Any], over: dict[str, Any]) -> None:
    assert InferRequest.model_validate({"inputs": [TENSOR]} | limit)
    with pytest.raises(ValidationError):
        InferRequest.model_validate({"inputs": [TENSOR]} | over)
