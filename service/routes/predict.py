"""POST /predict: score, log, then answer. `service.middleware.fast_path` answers most requests before they come here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from service.authorization import require
from service.http.body import parse_json, read_json_body
from service.http.openapi import json_body, problems
from service.http.strict_query import IN_DIGITS, StrictRoute
from service.prediction import Extras
from service.schemas.native import PredictionAnswer
from service.state import State

router = APIRouter(route_class=StrictRoute, tags=["predictions"], dependencies=[Depends(require("predict"))])
_PROBLEMS = problems(401, 403, 413, 415, 422, 503)
MAX_REASONS = 1_000


@router.post("/predict", response_model=PredictionAnswer, responses=_PROBLEMS, openapi_extra=json_body("Customer"))
async def predict(
    request: Request,
    state: State,
    reasons: Annotated[
        Annotated[int, Field(ge=1, le=MAX_REASONS), IN_DIGITS] | None,
        Query(description="How many of the strongest reasons to give."),
    ] = None,
    segment: Annotated[bool, Query(description="Whether to name the customer's segment.")] = False,
) -> Response:
    """Score one customer. The prediction is in the log before it is sent."""
    body = await read_json_body(request, state.customer_limits)
    customer = parse_json(state.requests.customer, body)
    values = list(customer.features().values())
    more = Extras(reasons, segment) if segment or reasons is not None else None
    return _json(await state.predictions.predict_one(values, customer.customer_id, more))


def _json(content: bytes) -> Response:
    # Not validated a second time: that would take longer than the prediction.
    return Response(content, media_type="application/json")
