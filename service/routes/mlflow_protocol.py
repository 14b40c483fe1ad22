"""MLflow's scoring protocol: POST /invocations, GET /ping, /health and /version, as `mlflow models serve` has them.

The answer is what MLflow gives for the registered model, whose pyfunc answers `predict_proba`: two probabilities a customer, of
staying and of leaving. (https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/; mlflow/pyfunc/scoring_server.)
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from churn.customers.columns import CustomerColumns
from service.authorization import require
from service.formats.json_text import load_json, refuse
from service.formats.media import Media, parse_content_type
from service.formats.payload import read_off_event_loop, read_payload, run_off_event_loop
from service.formats.records import from_columns, from_records, from_rows
from service.http.openapi import problems
from service.routes.batch import read_customers
from service.schemas.protocols import InvocationsAnswer, InvocationsRequest
from service.scoring.scored_batch import ScoredBatch
from service.scoring.served_model import ServedModel
from service.state import ServiceState, State

router = APIRouter(tags=["mlflow"])
_MEDIA = (Media.JSON, Media.CSV, Media.PARQUET)
_INPUTS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            Media.JSON.value: {"schema": {"$ref": f"#/components/schemas/{InvocationsRequest.__name__}"}},
            Media.CSV.value: {"schema": {"type": "string"}},
            Media.PARQUET.value: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    "/invocations",
    response_model=InvocationsAnswer,
    responses=problems(401, 403, 413, 415, 422, 503),
    openapi_extra=_BODY,
    dependencies=[Depends(require("predict"))],
)
async def invocations(request: Request, state: State) -> Response:
    """Score customers as `mlflow models serve` does. `prediction_ids`, which MLflow has not, name them in the log."""
    given = parse_content_type(request.headers.get("content-type", ""), _MEDIA)
    body = await read_payload(request, state.body_limits)
    served = state.active_model.current()
    customers = await read_off_event_loop(given, len(body), lambda: _read(given, body, state, served))
    batch = await state.predictions.predict_batch(served, customers)
    content = await run_off_event_loop(len(customers), lambda: _encode(batch), max_inline=200)
    return Response(content, media_type=Media.JSON.value)


@router.get("/ping", response_class=PlainTextResponse, responses=problems(503))
@router.get("/health", response_class=PlainTextResponse, responses=problems(503))
async def ping(state: State) -> PlainTextResponse:
    """Answer 200 if a model is loaded, as MLflow and SageMaker ask."""
    state.active_model.current()
    return PlainTextResponse("\n")


@router.get("/version", response_class=PlainTextResponse, responses=problems())
async def mlflow_version() -> PlainTextResponse:
    """Return which version of MLflow's protocol this is. (For the model's version: GET /model.)"""
    return PlainTextResponse(_mlflow_version())


@lru_cache(maxsize=1)
def _mlflow_version() -> str:
    # Of the package's description: mlflow itself is not imported here.
    return version("mlflow-skinny")


def _read(media: Media, body: bytes, state: ServiceState, served: ServedModel) -> CustomerColumns:
    if media is not Media.JSON:
        return read_customers(media, body, state, state.rules_ignoring_unknown)
    rules, max_rows = state.rules_ignoring_unknown, state.settings.max_batch_rows
    document = load_json(body, nan_is_null=True)
    name, data = _input(document)
    if name == "dataframe_split":
        data, names = _split(data, served)
        return from_rows(data, names, rules, name, max_rows)
    if name == "inputs" and type(data) is dict:
        # One customer may come as an object without lists.
        if not any(type(value) is list for value in data.values()):
            return from_records([data], rules, name, max_rows)
        return from_columns(data, rules, name, max_rows)
    if name != "dataframe_records" and type(data) is list and data and type(data[0]) is list:
        return from_rows(data, served.info.features, rules, name, max_rows)
    return from_records(data, rules, name, max_rows)


def _input(document: Any) -> tuple[str, Any]:
    if type(document) is list and document:
        refuse("body", 'a bare list is the protocol of MLflow 1: send {"dataframe_records": [...]}')
    if type(document) is not dict:
        refuse("body", "must be an object")
    # (`params` are for models that have some: as in MLflow, they change nothing for this one.)
    if foreign := sorted(set(document) - {*_INPUTS, "params"}):
        if {"columns", "data"} <= document.keys():
            refuse("body", 'bare columns and data are the protocol of MLflow 1: send {"dataframe_split": {...}}')
        refuse(foreign[0], "unknown field")
    # Clients that are generated from a schema send every optional field, null where it is not set.
    found = [name for name in _INPUTS if document.get(name) is not None]
    if len(found) != 1:
        refuse("body", f"exactly one of {', '.join(_INPUTS)} is needed")
    return found[0], document[found[0]]


def _split(data: Any, served: ServedModel) -> tuple[Any, list[Any]]:
    if type(data) is not dict:
        refuse("dataframe_split", "must be an object")
    if foreign := sorted(set(data) - {"columns", "data", "index"}):
        refuse(f"dataframe_split.{foreign[0]}", "unknown field")
    if "data" not in data:
        refuse("dataframe_split.data", "is required")
    # Without names, the columns are those of the model's signature, in its order.
    names = data.get("columns")
    names = served.info.features if names is None else names
    if type(names) is not list:
        refuse("dataframe_split.columns", "must be a list")
    return data["data"], names


def _encode(batch: ScoredBatch) -> bytes:
    both = np.column_stack([1.0 - batch.probabilities, batch.probabilities])
    answer = {"predictions": both, "prediction_ids": batch.prediction_ids, "model_version": batch.model_version}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
