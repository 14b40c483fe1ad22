"""Reading a request's body: at most so many bytes, of the right kind, valid by its model. Nothing else reads bodies."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.problems import TooLarge, WrongMediaType, unprocessable

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
    """Read a body of any kind, of at most `max_bytes`; TooLarge if it is larger."""
    too_large = TooLarge(f"The body may have at most {max_bytes} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(model: type[Parsed], body: bytes) -> Parsed:
    """Validate a body, or raise the problem that names each broken rule and no value."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # Not chained: pydantic's error holds the customer's values.
        raise unprocessable(error) from None
