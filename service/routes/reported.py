"""Lists that are reported to the service, as JSON or CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from fastapi import Request

from service.formats.csv_reported import csv_to_json
from service.formats.media import Media
from service.formats.payload import run_off_event_loop
from service.http.body import read_body, read_json_body
from service.schemas.reported import Reference, Reported
from service.state import State

CSV = {Media.CSV.value: {"schema": {"type": "string"}}}


async def read_reported(request: Request, state: State, item: type[Reported], name: str, flags: Collection[str]) -> bytes:
    """Read a list that is reported, as JSON or as CSV.

    Parameters
    ----------
    request : Request
    state : ServiceState
    item : type
        Of the list's items: its fields are the columns.
    name : str
        Of the list.
    flags : collection of str
        The fields that are true or false.

    Returns
    -------
    bytes
        A JSON document that is not validated yet.

    Raises
    ------
    WrongMediaType, TooLarge, TooSlow, Unprocessable
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != Media.CSV.value:
        return await read_json_body(request, state.body_limits)
    body, rows = await read_body(request, state.body_limits), state.settings.max_batch_rows
    return await run_off_event_loop(len(body), lambda: csv_to_json(body, name, tuple(item.model_fields), flags, rows))


def references(items: Sequence[Reported], positions: Iterable[int]) -> list[Reference]:
    """Return what stands at these positions of a list, by the names that the caller gave.

    Parameters
    ----------
    items : sequence of Reported
    positions : iterable of int
    """
    return [Reference(index=i, prediction_id=items[i].prediction_id, customer_id=items[i].customer_id) for i in positions]
