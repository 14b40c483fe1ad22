"""Inference requests of the Open Inference Protocol V2 into customers, and answers into its responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from pydantic import ValidationError

from churn.customers.cells import Cells, json_value
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from churn.customers.validation import Table
from service.formats.json_text import load_json, refuse
from service.formats.records import check_rows
from service.formats.tensors import Tensor, encode_binary, read_tensors
from service.formats.validation import ColumnRules
from service.http.errors import unprocessable
from service.schemas.protocols import InferOutput, InferRequest
from service.scoring.scored_batch import ScoredBatch

OUTPUTS = {"churn_probability": "FP64", "churn": "BOOL", "prediction_id": "BYTES"}
# Answered only where it is asked for by name: to find segments takes longer than to predict.
SEGMENT = "segment"
DATATYPES = {"number": "FP64", "integer": "FP64", "flag": "BOOL", "category": "BYTES"}


class Inference(NamedTuple):
    """A request, read: its envelope and its customers."""

    request: InferRequest
    customers: CustomerColumns

    @property
    def asks_segment(self) -> bool:
        """Whether the customers' segments are asked for."""
        return any(output.name == SEGMENT for output in self.request.outputs)


def read_inference(body: bytes, json_bytes: int, rules: ColumnRules, max_rows: int) -> Inference:
    """Read a request.

    Parameters
    ----------
    body : bytes
        JSON, and after it the tensors of the binary extension.
    json_bytes : int
        Length of the JSON part.
    rules : ColumnRules
    max_rows : int
        At most so many customers, at least 1.

    Returns
    -------
    Inference

    Raises
    ------
    TooLarge, Unprocessable
    """
    whole = memoryview(body)
    try:
        request = InferRequest.model_validate(load_json(whole[:json_bytes], nan_is_null=True))
    except ValidationError as error:
        raise unprocessable(error) from None
    asked: set[str] = set()
    for place, output in enumerate(request.outputs):
        if output.name in asked:
            refuse(f"outputs.{place}.name", "is asked for twice; name each output once")
        asked.add(output.name)
        if output.name not in OUTPUTS and output.name != SEGMENT:
            refuse(f"outputs.{place}.name", f"must be one of {', '.join([*OUTPUTS, SEGMENT])}")
        if foreign := sorted({"classification", "shared_memory_region"} & output.parameters.keys()):
            refuse(f"outputs.{place}.parameters.{foreign[0]}", "is not supported")
    check_rows(max(one.shape[0] for one in request.inputs), max_rows)
    ids = frozenset(one.name for one in request.inputs if rules.names.find(one.name) == CUSTOMER_ID)
    return Inference(request, _customers(read_tensors(request.inputs, whole[json_bytes:], ids), rules))


def _customers(tensors: Sequence[Tensor], rules: ColumnRules) -> CustomerColumns:
    rows = tensors[0].shape[0]
    if any(tensor.shape[0] != rows for tensor in tensors):
        refuse("inputs", "all tensors need the same number of rows")
    given: dict[str, Any] = {}
    names: list[str] = []
    for place, tensor in enumerate(tensors):
        for name, values in _columns(tensor, rules, place):
            names.append(name)
            given[name] = values
    columns = {name: given[spelled] for name, spelled in rules.columns_of(names, "inputs").items()}
    cells: dict[str, Cells] = {}
    for name, values in columns.items():
        if name != CUSTOMER_ID:
            feature = rules.features[name]
            cells[name] = feature.from_numbers(values) if isinstance(values, np.ndarray) else feature.from_objects(values)

    def record(row: int) -> dict[str, Any]:
        return {name: _cell(values, row) for name, values in columns.items()}

    return rules.validate_tables([Table(rows, cells, record, "inputs", columns.get(CUSTOMER_ID))])


def _columns(tensor: Tensor, rules: ColumnRules, place: int) -> list[tuple[str, Any]]:
    """Return a tensor's columns: its own, or, of a matrix of numbers, all numeric features in the contract's order."""
    width = tensor.shape[1] if len(tensor.shape) > 1 else 1
    known = rules.names.find(tensor.name) is not None
    if width == 1 and (known or len(tensor.shape) == 1):
        return [(tensor.name, tensor.values)]
    numeric = rules.contract.numeric_features
    if width != len(numeric) or known or not isinstance(tensor.values, np.ndarray):
        refuse(
            f"inputs.{place}.shape",
            f"must be [n] or [n, 1] for a feature, or [n, {len(numeric)}] for one tensor of all numeric features",
        )
    matrix = tensor.values.reshape(-1, width)
    return [(name, np.ascontiguousarray(matrix[:, number])) for number, name in enumerate(numeric)]


def _cell(values: Any, row: int) -> Any:
    return json_value(values[row].item()) if isinstance(values, np.ndarray) else values[row]


def encode_inference(request: InferRequest, batch: ScoredBatch, model_name: str) -> tuple[bytes, int | None]:
    """Encode an answer.

    Parameters
    ----------
    request : InferRequest
        Names the outputs that are asked for, and whether each is sent in binary.
    batch : ScoredBatch
    model_name : str

    Returns
    -------
    tuple of (bytes, int or None)
        The body, and the length of its JSON part if binary tensors follow.
    """
    asked = request.outputs or [InferOutput(name=name) for name in OUTPUTS]
    found: dict[str, Any] = {
        "churn_probability": batch.probabilities,
        "churn": batch.churn,
        "prediction_id": batch.prediction_ids,
        SEGMENT: [] if batch.segments is None else batch.segments.of(slice(None)),
    }
    outputs: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for output in asked:
        values = found[output.name]
        datatype = OUTPUTS.get(output.name, "BYTES")
        tensor: dict[str, Any] = {"name": output.name, "datatype": datatype, "shape": [len(values)]}
        if output.parameters.get("binary_data", request.parameters.get("binary_data_output", False)) is True:
            binary.append(encode_binary(datatype, values))
            tensor["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            tensor["data"] = values
        outputs.append(tensor)
    answer = {
        "model_name": model_name,
        "model_version": batch.model_version,
        **({} if request.id is None else {"id": request.id}),
        "parameters": {"threshold": batch.threshold},
        "outputs": outputs,
    }
    text = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([text, *binary]), len(text)) if binary else (text, None)
