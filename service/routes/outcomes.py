"""POST /outcomes: which customers churned."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from churn.clock import now
from churn.store.records import Outcome, OutcomeReceipt
from service.authorization import require
from service.formats.payload import run_off_event_loop
from service.http.body import parse_json
from service.http.errors import TooLarge
from service.http.openapi import json_body, problems
from service.routes.reported import CSV, read_reported, references
from service.schemas.native import OutcomeItem, OutcomesAnswer, OutcomesRequest
from service.state import State

router = APIRouter(tags=["outcomes"], dependencies=[Depends(require("outcomes"))])
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
    it.
    """
    body = await read_reported(request, state, OutcomeItem, "outcomes", ("churned", "corrects", "withdrawn"))
    items, outcomes = await run_off_event_loop(len(body), lambda: _read(body, state.settings.max_batch_rows))
    receipt = await state.outcome_threads.run(lambda: state.store.write_outcomes(outcomes))
    state.metrics.count_outcomes(receipt)
    content = await run_off_event_loop(len(body), lambda: _answer(items, receipt))
    return Response(content, media_type="application/json")


def _read(body: bytes, max_outcomes: int) -> tuple[list[OutcomeItem], list[Outcome]]:
    items = parse_json(OutcomesRequest, body).outcomes
    if len(items) > max_outcomes:
        raise TooLarge(f"At most {max_outcomes} outcomes in one request.")
    received = now()
    return items, [item.to_outcome(received) for item in items]


def _answer(items: list[OutcomeItem], receipt: OutcomeReceipt) -> str:
    return OutcomesAnswer(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        unknown=references(items, receipt.unknown),
        conflicting=references(items, receipt.conflicting),
        corrected=receipt.corrected,
    ).model_dump_json()
