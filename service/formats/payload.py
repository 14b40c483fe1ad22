"""A body with many records: read, and unpacked in a thread if it was compressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from service.http.body import BodyLimits, read_body
from service.http.content_encoding import content_encoding, unpack
from service.threads import CLIENT_WORK

T = TypeVar("T")
# Smaller bodies are read on the event loop: to hand them to a thread would take as long.
MAX_INLINE_BYTES = 16 * 1024


async def read_payload(request: Request, limits: BodyLimits) -> bytes:
    """Read a body within its limits, before and after it is unpacked (`Content-Encoding: gzip` or `deflate`).

    Parameters
    ----------
    request : fastapi.Request
    limits : BodyLimits

    Returns
    -------
    bytes

    Raises
    ------
    TooLarge, WrongMediaType, Unprocessable
    """
    encoding = content_encoding(request.headers)
    body = await read_body(request, limits)
    if encoding:
        return await run_off_event_loop(len(body), lambda: unpack(body, encoding, limits.max_bytes))
    return body


async def run_off_event_loop(size: int, work: Callable[[], T], *, max_inline: int = MAX_INLINE_BYTES) -> T:
    """Run work in one of the threads for clients' bodies, unless it is small: the event loop stays free for others.

    Parameters
    ----------
    size : int
        How large the work is, in the unit of `max_inline` (bytes or rows).
    work : callable
    max_inline : int
        Work up to this size runs on the event loop.

    Returns
    -------
    object
        What the work returns.

    Raises
    ------
    Overloaded
        If too many bodies wait for a thread.
    """
    return work() if size <= max_inline else await CLIENT_WORK.run(work)
