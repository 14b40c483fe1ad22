"""Reading a request's body: at most so many bytes, of the right kind, valid by its model. Nothing else reads bodies."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

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

Parsed = TypeVar("Parsed", bound=BaseModel)


async def read_json_body(request: Request, max_bytes: int) -> bytes:
    """Read a JSON body of at most `max_bytes`, whether its length was announced or not.

    Raises
    ------
    WrongMediaType
        If the request says that its body is something else than JSON.
    TooLarge
        If it is larger. No more than `max_bytes` and one chunk are ever held.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise WrongMediaType("Send JSON, with the header Content-Type: application/json.")
    return await read_body(request, max_bytes)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read a body of any kind, of at most `max_bytes`.

    Raises
    ------
    TooLarge
        If it is larger.
    TooSlow
        If it has not come within `CHURN_BODY_TIMEOUT_SECONDS`.
    """
    too_large = TooLarge(f"The body may have at most {max_bytes} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    seconds = request.app.state.service.settings.body_timeout_seconds
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise too_large
                chunks.append(chunk)
    except TimeoutError:
        raise TooSlow(f"The body did not come within {seconds:g} seconds.") from None
    return b"".join(chunks)


def parse_json(model: type[Parsed], body: bytes) -> Parsed:
    """Validate a body, or raise the problem that names each broken rule and no value."""
    refuse_repeated_fields(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # Not chained: pydantic's error holds the customer's values.
        raise unprocessable(error) from None


def refuse_repeated_fields(body: bytes) -> None:
    """Raise the problem that names a field which one object holds twice: which of them counts is anybody's guess (RFC 8259, 4).

    What is no JSON, or nested too deep, is left to who reads it next.
    """
    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in found}) < len(found):
            names = [name for name, _ in found]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))

    try:
        json.loads(body, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return
    if repeated:
        problems = [FieldProblem(field=name[:NAME_LENGTH], problem="is there twice") for name in repeated[:LISTED_ERRORS]]
        raise Unprocessable(f"{len(repeated)} field{'s are' if len(repeated) > 1 else ' is'} there twice.", problems)
