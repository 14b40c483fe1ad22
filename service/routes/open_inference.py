"""Open Inference Protocol V2 (REST), which clients of KServe and Triton speak, with Triton's binary extension.

Problems are those of every route, with one more member: `error`, the text that these clients look for.
"""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from churn import DISTRIBUTION
from service.authorization import require
from service.formats.inference import DATATYPES, OUTPUTS, SEGMENT, encode_inference, read_inference
from service.formats.json_text import refuse
from service.formats.media import Media, parse_content_type
from service.formats.payload import read_off_event_loop, read_payload, run_off_event_loop
from service.http.media_type import parse_media_type
from service.http.openapi import json_body, problems
from service.routes.operations import readyz
from service.schemas.protocols import (
    InferAnswer,
    InferRequest,
    LiveAnswer,
    ModelMetadata,
    ModelReadyAnswer,
    ServerMetadata,
    ServerReadyAnswer,
    TensorMetadata,
)
from service.scoring.served_model import ServedModel
from service.state import ServiceState, State

router = APIRouter(prefix="/v2", tags=["open inference protocol"])
_ANY_KEY = [Depends(require(None))]
_BINARY = "application/octet-stream"
_BODY: dict[str, Any] = json_body(InferRequest.__name__)
_BODY["requestBody"]["content"][_BINARY] = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS = {200: {"content": {_BINARY: {}}}, **problems(401, 403, 404, 413, 415, 422, 503)}


@router.get("/health/live", responses=problems())
async def server_live() -> LiveAnswer:
    """Answer 200: the process is alive."""
    return LiveAnswer()


@router.get("/health/ready", responses=problems(503))
async def server_ready(state: State) -> ServerReadyAnswer:
    """Return whether predictions can be answered, as /readyz does."""
    await readyz(state)
    return ServerReadyAnswer()


@router.get("", responses=problems(401), dependencies=_ANY_KEY)
async def server_metadata() -> ServerMetadata:
    """Describe this server."""
    return ServerMetadata(name="churn", version=installed(DISTRIBUTION), extensions=["binary_tensor_data"])


@router.get("/models/{name}", responses=problems(401, 404, 422, 503), dependencies=_ANY_KEY)
@router.get("/models/{name}/versions/{version}", responses=problems(401, 404, 422, 503), dependencies=_ANY_KEY)
async def model_metadata(state: State, name: str, version: str | None = None) -> ModelMetadata:
    """Describe which tensors the model in service reads and answers.

    Each feature is a tensor of shape [n], and so is `customer_id`; what may be missing may be left out. Or one tensor of numbers,
    of any other name, holds all numeric features: shape [n, len(tensor_columns)].
    """
    served = _served(state, name, version)
    outputs = OUTPUTS if served.segmenter is None else {**OUTPUTS, SEGMENT: "BYTES"}
    features = [TensorMetadata(name=f.name, datatype=DATATYPES[f.kind], shape=[-1]) for f in state.contract.features]
    return ModelMetadata(
        name=name,
        versions=[served.version],
        platform="churn_sklearn",
        inputs=[*features, TensorMetadata(name="customer_id", datatype="BYTES", shape=[-1])],
        outputs=[TensorMetadata(name=output, datatype=datatype, shape=[-1]) for output, datatype in outputs.items()],
        parameters={"tensor_columns": state.contract.numeric_features, "threshold": served.info.threshold},
    )


@router.get("/models/{name}/ready", responses=problems(401, 404, 422, 503), dependencies=_ANY_KEY)
@router.get("/models/{name}/versions/{version}/ready", responses=problems(401, 404, 422, 503), dependencies=_ANY_KEY)
async def model_ready(state: State, name: str, version: str | None = None) -> ModelReadyAnswer:
    """Answer 200 if the model, or this version of it, is in service."""
    _served(state, name, version)
    return ModelReadyAnswer(name=name)


@router.post(
    "/models/{name}/infer",
    response_model=InferAnswer,
    responses={
        200: {"content": {_BINARY: _BODY["requestBody"]["content"][_BINARY]}},
        **problems(401, 403, 404, 413, 415, 422, 503),
    },
    openapi_extra=_BODY,
    dependencies=[Depends(require("predict"))],
)
@router.post(
    "/models/{name}/versions/{version}/infer",
    response_model=InferAnswer,
    responses={
        200: {"content": {_BINARY: _BODY["requestBody"]["content"][_BINARY]}},
        **problems(401, 403, 404, 413, 415, 422, 503),
    },
    openapi_extra=_BODY,
    dependencies=[Depends(require("predict"))],
)
async def infer(
    request: Request,
    state: State,
    name: str,
    version: str | None = None,
    inference_header_content_length: Annotated[
        str | None, Header(description="Length of the JSON part of the body, where tensors follow in binary.")
    ] = None,
) -> Response:
    """Score customers: a tensor a feature, or one of all numeric features."""
    served = _served(state, name, version)
    content_type = request.headers.get("content-type", "")
    if parse_media_type(content_type)[0] != _BINARY:
        parse_content_type(content_type, (Media.JSON,))
    body = await read_payload(request, state.body_limits)
    json_bytes = _json_bytes(inference_header_content_length, len(body))
    inference = await read_off_event_loop(
        Media.JSON, len(body), lambda: read_inference(body, json_bytes, state.rules, state.settings.max_batch_rows)
    )
    batch = await state.predictions.predict_batch(served, inference.customers, segment=inference.asks_segment)
    content, json_length = await run_off_event_loop(
        len(inference.customers), lambda: encode_inference(inference.request, batch, name), max_inline=200
    )
    if json_length is None:
        return Response(content, media_type=Media.JSON.value)
    return Response(content, media_type=_BINARY, headers={"Inference-Header-Content-Length": str(json_length)})


def _served(state: ServiceState, name: str, version: str | None) -> ServedModel:
    """Find the model in service; 404 if it is not the one that is asked for."""
    served = state.active_model.current()
    if name != state.settings.model_name or version not in (None, served.version):
        raise HTTPException(404)
    return served


def _json_bytes(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not (header.isascii() and header.isdecimal() and len(header) <= 12 and int(header) <= size):
        refuse("Inference-Header-Content-Length", "must be the length of the JSON part of the body")
    return int(header)
