"""POST /outcomes: which customers churned."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from churn.clock import now
from service.authorization import require
from service.http.openapi import json_body, problems
from service.http.strict_query import StrictRoute
from service.routes.reported import CSV, ReportedList, answer_reported, read_reported
from service.schemas.native import OutcomeItem, OutcomesAnswer
from service.state import State

router = APIRouter(route_class=StrictRoute, tags=["outcomes"], dependencies=[Depends(require("outcomes"))])
_BODY = json_body("OutcomesRequest")
_BODY["requestBody"]["content"] |= CSV


@router.post(
    "/outcomes",
    response_model=OutcomesAnswer,
    responses=problems(401, 403, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
async def report_outcomes(request: Request, state: State) -> Response:
    """Report which customers churned, as JSON or CSV.

    Sending the same again changes nothing; of two different results the first one stays, unless the other says that it corrects
    it. After a 503 a part of the list may be stored: send the list again.
    """
    received = now()
    kind = ReportedList("outcomes", OutcomeItem, ("churned", "corrects", "withdrawn"), lambda item: item.to_outcome(received))
    outcomes = await read_reported(request, state, kind)
    receipt = await state.outcome_threads.run(lambda: state.store.write_outcomes(outcomes))
    state.metrics.count_outcomes(receipt)
    return Response(await answer_reported(outcomes, receipt), media_type="application/json")
