"""POST /predict/batch: many customers by one model, in the format that the client has."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from churn.customers.columns import CustomerColumns
from service.authorization import require
from service.formats.answers import PIECE_ROWS, csv_answer, json_answer
from service.formats.csv_text import read_csv
from service.formats.json_text import load_json, only_list
from service.formats.media import Media, negotiate_media, parse_content_type
from service.formats.payload import read_off_event_loop, read_payload, run_off_event_loop
from service.formats.records import from_records
from service.formats.validation import ColumnRules
from service.http.openapi import json_body, problems
from service.http.strict_query import StrictRoute
from service.schemas.native import BatchAnswer
from service.scoring.scored_batch import ScoredBatch
from service.state import ServiceState, State
from service.threads import CLIENT_WORK

router = APIRouter(route_class=StrictRoute, tags=["predictions"], dependencies=[Depends(require("predict"))])
# A body that is compressed by its own format may unpack to so many times the largest body, and, so that a small one does not
# take what only a large one may, to so many times its own size and so many bytes more.
UNPACKED_BODIES, UNPACKED_TIMES, UNPACKED_BYTES = 8, 4, 16 * 2**20
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_OTHERS = {media.value: _TEXT if media is Media.CSV else _BINARY for media in Media if media is not Media.JSON}
_BODY = json_body("BatchRequest")
_BODY["requestBody"]["content"] |= _OTHERS


@router.post(
    "/predict/batch",
    response_model=BatchAnswer,
    responses={200: {"content": _OTHERS}, **problems(401, 403, 406, 413, 415, 422, 503)},
    openapi_extra=_BODY,
)
async def predict_batch(
    request: Request,
    state: State,
    segment: Annotated[bool, Query(description="Whether to name each customer's segment.")] = False,
) -> Response:
    """Score many customers with one model: all of them, or none if one breaks a rule.

    What comes as JSON, CSV, Parquet or Arrow IPC is answered in the same format, or in the one that `Accept` asks for.
    """
    given = parse_content_type(request.headers.get("content-type", ""))
    wanted = negotiate_media(request.headers.get("accept", ""), given)
    body = await read_payload(request, state.body_limits)
    served = state.active_model.current()
    customers = await read_off_event_loop(given, len(body), partial(read_customers, given, body, state, state.rules))
    del body  # what it was unpacked to is not needed while the predictions are written
    batch = await state.predictions.predict_batch(served, customers, segment=segment)
    return await _answer(batch, wanted)


def read_customers(media: Media, body: bytes, state: ServiceState, rules: ColumnRules) -> CustomerColumns:
    """Read and validate the customers of a body.

    Parameters
    ----------
    media : Media
    body : bytes
    state : ServiceState
    rules : ColumnRules
        Of the protocol.

    Raises
    ------
    TooLarge, Unprocessable
    """
    max_rows = state.settings.max_batch_rows
    max_bytes = min(UNPACKED_BODIES * state.settings.max_body_bytes, UNPACKED_TIMES * len(body) + UNPACKED_BYTES)
    match media:
        case Media.JSON:
            return from_records(only_list(load_json(body), "customers"), rules, "customers", max_rows)
        case Media.CSV:
            return read_csv(body, rules, max_rows)
        case Media.PARQUET:
            # These two import pyarrow, which takes long: `churn serve` does it at its start.
            from service.formats.parquet import read_parquet

            return read_parquet(body, rules, max_rows, max_bytes)
        case _:
            from service.formats.arrow_ipc import read_arrow

            return read_arrow(body, rules, max_rows, max_bytes, file=media is Media.ARROW_FILE)


async def _answer(batch: ScoredBatch, media: Media) -> Response:
    match media:
        case Media.JSON:
            parts = json_answer(batch)
            rows = len(batch.prediction_ids)
            if rows > PIECE_ROWS:
                return StreamingResponse(CLIENT_WORK.stream(parts), media_type=media.value)
            content = await run_off_event_loop(rows, lambda: b"".join(parts), max_inline=200)
            return Response(content, media_type=media.value)
        case Media.CSV:
            return StreamingResponse(CLIENT_WORK.stream(csv_answer(batch)), media_type=media.value)
        case Media.PARQUET:
            from service.formats.parquet import parquet_answer

            return StreamingResponse(CLIENT_WORK.stream(parquet_answer(batch)), media_type=media.value)
        case _:
            from service.formats.arrow_ipc import arrow_answer

            batches = arrow_answer(batch, file=media is Media.ARROW_FILE)
            return StreamingResponse(CLIENT_WORK.stream(batches), media_type=media.value)
