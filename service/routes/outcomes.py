"""POST /outcomes: which customers churned."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fastapi import APIRouter, Depends, Request

from churn.clock import now
from service.authorization import require
from service.http.body import parse_json, read_json_body
from service.http.errors import TooLarge
from service.http.openapi import json_body, problems
from service.schemas.native import OutcomeItem, OutcomeReference, OutcomesAnswer, OutcomesRequest
from service.state import State

router = APIRouter(tags=["outcomes"], dependencies=[Depends(require("outcomes"))])


@router.post("/outcomes", responses=problems(401, 403, 413, 415, 422, 503), openapi_extra=json_body("OutcomesRequest"))
async def report_outcomes(request: Request, state: State) -> OutcomesAnswer:
    """Report which customers churned. Sending the same again changes nothing; of two different results the first one stays."""
    body = await read_json_body(request, state.body_limits)
    items = (await asyncio.to_thread(parse_json, OutcomesRequest, body)).outcomes
    if len(items) > state.settings.max_batch_rows:
        raise TooLarge(f"At most {state.settings.max_batch_rows} outcomes in one request.")
    received = now()
    outcomes = [item.to_outcome(received) for item in items]
    receipt = await asyncio.get_running_loop().run_in_executor(state.outcome_threads, state.store.write_outcomes, outcomes)
    state.metrics.count_outcomes(receipt)
    return OutcomesAnswer(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        unknown=_references(items, receipt.unknown),
        conflicting=_references(items, receipt.conflicting),
    )


def _references(items: list[OutcomeItem], positions: Iterable[int]) -> list[OutcomeReference]:
    return [OutcomeReference(index=i, prediction_id=items[i].prediction_id, customer_id=items[i].customer_id) for i in positions]
