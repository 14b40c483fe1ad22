"""POST /contacts: which customers were acted on, and which want no contacts."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from churn.clock import now
from service.authorization import require
from service.http.openapi import json_body, problems
from service.http.strict_query import StrictRoute
from service.routes.reported import CSV, ReportedList, answer_reported, read_reported
from service.schemas.contacts import ContactItem, ContactsAnswer
from service.state import State

router = APIRouter(route_class=StrictRoute, tags=["contacts"], dependencies=[Depends(require("outcomes"))])
_BODY = json_body("ContactsRequest")
_BODY["requestBody"]["content"] |= CSV


@router.post("/contacts", response_model=ContactsAnswer, responses=problems(401, 403, 413, 415, 422, 503), openapi_extra=_BODY)
async def report_contacts(request: Request, state: State) -> Response:
    """Report who was acted on, as JSON or CSV. Sending the same again changes nothing.

    After a 503 a part of the list may be stored: send the list again.
    Whoever was acted on tells nothing about what would have happened otherwise: what they did then is not learned from.
    """
    received = now()
    kind = ReportedList("contacts", ContactItem, ("opt_out",), lambda item: item.to_contact(received))
    contacts = await read_reported(request, state, kind)
    receipt = await state.outcome_threads.run(lambda: state.store.write_contacts(contacts))
    state.metrics.count_contacts(receipt)
    if any(contact.opt_out is not None for contact in contacts):
        state.predictions.opt_outs.refresh_soon()
    return Response(await answer_reported(contacts, receipt), media_type="application/json")
