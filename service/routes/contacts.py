"""POST /contacts: which customers were acted on, and which want no contacts."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from churn.clock import now
from churn.store.contacts.records import Contact, ContactReceipt
from service.authorization import require
from service.formats.payload import run_off_event_loop
from service.http.body import parse_json
from service.http.errors import TooLarge
from service.http.openapi import json_body, problems
from service.routes.reported import CSV, read_reported, references
from service.schemas.contacts import ContactItem, ContactsAnswer, ContactsRequest
from service.state import State

router = APIRouter(tags=["contacts"], dependencies=[Depends(require("outcomes"))])
_BODY = json_body("ContactsRequest")
_BODY["requestBody"]["content"] |= CSV


@router.post("/contacts", response_model=ContactsAnswer, responses=problems(401, 403, 413, 415, 422, 503), openapi_extra=_BODY)
async def report_contacts(request: Request, state: State) -> Response:
    """Report who was acted on, as JSON or CSV. Sending the same again changes nothing.

    Whoever was acted on tells nothing about what would have happened otherwise: what they did then is not learned from.
    """
    body = await read_reported(request, state, ContactItem, "contacts", ("opt_out",))
    items, contacts = await run_off_event_loop(len(body), lambda: _read(body, state.settings.max_batch_rows))
    receipt = await state.outcome_threads.run(lambda: state.store.write_contacts(contacts))
    state.metrics.count_contacts(receipt)
    content = await run_off_event_loop(len(body), lambda: _answer(items, receipt))
    return Response(content, media_type="application/json")


def _read(body: bytes, max_contacts: int) -> tuple[list[ContactItem], list[Contact]]:
    items = parse_json(ContactsRequest, body).contacts
    if len(items) > max_contacts:
        raise TooLarge(f"At most {max_contacts} contacts in one request.")
    received = now()
    return items, [item.to_contact(received) for item in items]


def _answer(items: list[ContactItem], receipt: ContactReceipt) -> str:
    return ContactsAnswer(
        accepted=receipt.accepted,
        duplicates=receipt.duplicates,
        unknown=references(items, receipt.unknown),
        conflicting=references(items, receipt.conflicting),
        unasked=references(items, receipt.unasked),
    ).model_dump_json()
