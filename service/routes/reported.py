"""Lists that are reported to the service, as JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Request

from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt
from service.formats.csv_reported import csv_items
from service.formats.json_text import load_json, only_list
from service.formats.media import Media, parse_content_type
from service.formats.payload import read_off_event_loop, read_payload, run_off_event_loop
from service.formats.reported_items import Item, read_items
from service.http.errors import TooLarge
from service.state import State

CSV = {Media.CSV.value: {"schema": {"type": "string"}}}
Record = TypeVar("Record", Outcome, Contact)
# Records that are written into an answer at once.
ANSWERED_AT_ONCE = 1_000


@dataclass(frozen=True)
class ReportedList(Generic[Item, Record]):
    """How one kind of list is read.

    Attributes
    ----------
    name : str
    item : type
        Its fields are the columns of CSV.
    flags : collection of str
        The fields that are true or false.
    record : callable
        Returns the record of an item. Only that is kept: an item takes twice as much.
    """

    name: str
    item: type[Item]
    flags: Collection[str]
    record: Callable[[Item], Record]


async def read_reported(request: Request, state: State, kind: ReportedList[Item, Record]) -> list[Record]:
    """Read a list that is reported, as JSON or as CSV.

    Parameters
    ----------
    request : Request
    state : ServiceState
    kind : ReportedList

    Returns
    -------
    list
        All of it, valid.

    Raises
    ------
    WrongMediaType, TooLarge, TooSlow, Unprocessable
    """
    given = parse_content_type(request.headers.get("content-type", ""), (Media.JSON, Media.CSV))
    read = _csv if given is Media.CSV else _json
    body = await read_payload(request, state.body_limits)
    max_rows = state.settings.max_batch_rows
    return await read_off_event_loop(given, len(body), lambda: _records(read(body, kind, max_rows), kind))


def _records(given: Iterator[Any], kind: ReportedList[Item, Record]) -> list[Record]:
    return [kind.record(item) for item in read_items(given, kind.item, kind.name)]


def _csv(body: bytes, kind: ReportedList[Item, Record], max_rows: int) -> Iterator[Any]:
    return csv_items(body, kind.name, tuple(kind.item.model_fields), kind.flags, max_rows)


def _json(body: bytes, kind: ReportedList[Item, Record], max_rows: int) -> Iterator[Any]:
    items = only_list(load_json(body), kind.name)
    if len(items) > max_rows:
        raise TooLarge(f"At most {max_rows} {kind.name} in one request.")
    items.reverse()
    while items:
        yield items.pop()  # and not kept until the last one is read


async def answer_reported(records: Sequence[Outcome | Contact], receipt: OutcomeReceipt | ContactReceipt) -> bytes:
    """Write what became of a list.

    Parameters
    ----------
    records : sequence
    receipt : OutcomeReceipt or ContactReceipt
        Its positions in the list are answered with the names that the caller gave.

    Returns
    -------
    bytes
        JSON.
    """
    # (`asdict` would copy each position, on the event loop: a sixth of a second for a hundred thousand.)
    counts: dict[str, int | Sequence[int]] = {field.name: getattr(receipt, field.name) for field in fields(receipt)}
    size = sum(len(positions) for positions in counts.values() if not isinstance(positions, int))
    return await run_off_event_loop(size, lambda: _answer(records, counts), max_inline=ANSWERED_AT_ONCE)


def _answer(records: Sequence[Outcome | Contact], counts: Mapping[str, int | Sequence[int]]) -> bytes:
    parts = [b'"%b":%b' % (name.encode(), _written(records, counted)) for name, counted in counts.items()]
    return b"{%b}" % b",".join(parts)


def _written(records: Sequence[Outcome | Contact], counted: int | Sequence[int]) -> bytes:
    if isinstance(counted, int):
        return b"%d" % counted
    spelled = []
    for start in range(0, len(counted), ANSWERED_AT_ONCE):
        some = counted[start : start + ANSWERED_AT_ONCE]
        references = [
            {"index": at, "prediction_id": records[at].prediction_id, "customer_id": records[at].customer_id} for at in some
        ]
        spelled.append(orjson.dumps(references)[1:-1])
    return b"[%b]" % b",".join(spelled)
