"""Read and validate request bodies: limited in size and time, of the right media type. No other module reads a body."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.http.content_encoding import content_encoding, unpack
from service.http.errors import (
    LISTED_ERRORS,
    NAME_LENGTH,
    FieldProblem,
    TooLarge,
    TooSlow,
    Unprocessable,
    WrongMediaType,
    unprocessable,
)
from service.http.media_type import parse_media_type
from service.request_context import RequestContext, request_context_of

Parsed = TypeVar("Parsed", bound=BaseModel)
# Windows programs begin UTF-8 with it; a reader may ignore it (RFC 8259, section 8.1).
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class BodyLimits:
    """How large a body may be, in bytes, and how many seconds it may take to arrive."""

    max_bytes: int
    timeout_seconds: float


async def read_json_body(request: Request, limits: BodyLimits) -> bytes:
    """Read a small JSON body, and unpack it if it was compressed; those with lists are read by `service.formats.payload`.

    Parameters
    ----------
    request : Request
    limits : BodyLimits

    Returns
    -------
    bytes
        The body. It is not parsed yet.

    Raises
    ------
    WrongMediaType
        If the request declares another media type, a charset other than UTF-8, or an encoding that is not understood.
    TooLarge, TooSlow, Unprocessable
        See `read_body` and `unpack`.
    """
    media_type, _ = parse_media_type(request.headers.get("content-type", ""))
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongMediaType("Send JSON, with the header Content-Type: application/json.")
    encoding = content_encoding(request.headers)
    return unpack(await read_body(request, limits), encoding, limits.max_bytes)


async def read_body(request: Request, limits: BodyLimits) -> bytes:
    """Read a body of any media type.

    Parameters
    ----------
    request : Request
    limits : BodyLimits

    Returns
    -------
    bytes
        The body as it was sent.

    Raises
    ------
    TooLarge
        If it is larger than `limits.max_bytes`. Never more than that and one chunk are held, whether the length was announced
        or not.
    TooSlow
        If it has not arrived in time (`CHURN_BODY_TIMEOUT_SECONDS`).
    Overloaded
        If there is no room for it, or for one more request, when it arrives.
    """
    max_bytes, seconds = limits.max_bytes, limits.timeout_seconds
    too_large = TooLarge(f"The body may have at most {max_bytes} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large
    body = bytearray()  # and no list of pieces: one of a byte costs forty
    request_context = request_context_of(request.scope) or RequestContext()
    room = request_context.limits
    try:
        with room.waiting() if room is not None else nullcontext():
            async with asyncio.timeout(seconds):
                async for chunk in request.stream():
                    if len(body) + len(chunk) > max_bytes:
                        raise too_large
                    body += chunk
                    if room is not None and len(body) > request_context.weight:
                        room.hold(len(body) - request_context.weight, request_context.weight)
                        request_context.weight = len(body)
    except TimeoutError:
        raise TooSlow(f"The body did not come within {seconds:g} seconds.") from None
    return bytes(body)


def parse_json(model: type[Parsed], body: bytes) -> Parsed:
    """Validate a small JSON body; those with lists are read by `service.formats.json_text`.

    Parameters
    ----------
    model : type
        The pydantic model of the body.
    body : bytes
        UTF-8, with or without a byte order mark; at most as large as one customer may be.

    Returns
    -------
    BaseModel
        An instance of `model`.

    Raises
    ------
    Unprocessable
        With each broken rule, and no value.
    TooLarge
        If a list of the body is too long.
    """
    body = body.removeprefix(BYTE_ORDER_MARK)
    refuse_repeated_fields(body)
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        # Not chained: pydantic's error holds the customer's values.
        raise unprocessable(error) from None
    if not _is_json(body):
        # Its reader takes them for numbers, and a customer's id may be a number that is missing.
        raise Unprocessable("The body is not JSON, which has no NaN and no Infinity: send null.")
    return parsed


def _is_json(body: bytes) -> bool:
    if b"NaN" not in body and b"Infinity" not in body:
        return True
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def refuse_repeated_fields(body: bytes) -> None:
    """Raise Unprocessable if an object of the body has a field twice: readers disagree on which one counts (RFC 8259, section 4).

    Bodies that are not JSON, or nested too deeply, are left to the parser.
    """
    if _is_flat_and_unique(body):
        return
    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in found}) < len(found):
            counted = Counter(name for name, _ in found)
            repeated.extend(sorted(name for name, number in counted.items() if number > 1))

    try:
        json.loads(body, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return
    if repeated:
        problems = [FieldProblem(field=name[:NAME_LENGTH], problem="is there twice") for name in repeated[:LISTED_ERRORS]]
        raise Unprocessable(f"{len(repeated)} field{'s are' if len(repeated) > 1 else ' is'} there twice.", problems)


def _is_flat_and_unique(body: bytes) -> bool:
    """Return whether a body is one object, as most are, with as many fields as colons: then none is there twice."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and body.count(b":") == len(found)
