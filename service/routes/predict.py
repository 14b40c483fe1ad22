"""POST /predict and /predict/batch: score, log, then answer, in this order."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from churn.records import Prediction
from service.auth import require
from service.body import parse_json, read_json_body
from service.documentation import json_body, problems
from service.predictor import ServedModel, answer
from service.schemas import BatchAnswer, PredictionAnswer
from service.state import ServiceState, State

router = APIRouter(tags=["predictions"], dependencies=[Depends(require("predict"))])
_PROBLEMS = problems(401, 403, 413, 415, 422, 503)
MOST_REASONS = 1_000
# One customer is validated on the event loop, so it may not be so large that this takes long.
ONE_CUSTOMER_BYTES = 64 * 1024


@router.post("/predict", response_model=PredictionAnswer, responses=_PROBLEMS, openapi_extra=json_body("Customer"))
async def predict(
    request: Request,
    state: State,
    reasons: Annotated[int | None, Query(ge=1, le=MOST_REASONS, description="How many of the strongest reasons to give.")] = None,
) -> Response:
    """Score one customer. The answer is in the log before it is sent."""
    body = await read_json_body(request, min(ONE_CUSTOMER_BYTES, state.settings.max_body_bytes))
    customer = parse_json(state.requests.customer, body)
    served = state.holder.current()
    predictions = served.score([customer])
    answered = answer(predictions[0])
    if reasons is not None:
        answered |= served.explain(predictions[0], reasons)
    await state.log.write(predictions)
    state.metrics.count_predictions(predictions)
    return _json(orjson.dumps(answered))


@router.post("/predict/batch", response_model=BatchAnswer, responses=_PROBLEMS, openapi_extra=json_body("BatchRequest"))
async def predict_batch(request: Request, state: State) -> Response:
    """Score many customers with one model: all of them, or none if one breaks a rule."""
    body = await read_json_body(request, state.settings.max_body_bytes)
    served, predictions = await asyncio.to_thread(_score_batch, state, body)
    await state.log.write(predictions)
    return _json(await asyncio.to_thread(_answer_batch, state, served, predictions))


def _score_batch(state: ServiceState, body: bytes) -> tuple[ServedModel, list[Prediction]]:
    customers: list[Any] = parse_json(state.requests.batch, body).customers
    served = state.holder.current()
    return served, served.score(customers)


def _answer_batch(state: ServiceState, served: ServedModel, predictions: list[Prediction]) -> bytes:
    state.metrics.count_predictions(predictions)
    return orjson.dumps({"model_version": served.version, "predictions": [answer(one) for one in predictions]})


def _json(content: bytes) -> Response:
    # Spelled straight from the log's records: a second validation of 100,000 answers would take longer than scoring them.
    return Response(content, media_type="application/json")
