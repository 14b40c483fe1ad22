"""A body with many records: read, and unpacked in a thread if it was compressed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from service.formats.media import TEXTS, Media
from service.http.body import BodyLimits, read_body
from service.http.content_encoding import content_encoding, unpack
from service.threads import CLIENT_WORK

T = TypeVar("T")
# Smaller bodies of text are read on the event loop: to hand them to a thread would take as long. A body of this size whose rows
# are all wrong takes some 20 ms of processor time.
MAX_INLINE_BYTES = 4 * 1024


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
        # However few bytes these are: deflate makes a thousand of one.
        return await CLIENT_WORK.run(lambda: unpack(body, encoding, limits.max_bytes))
    return body


async def read_off_event_loop(media: Media, size: int, read: Callable[[], T]) -> T:
    """Read a body in one of the threads for clients' bodies, unless it is small.

    Parameters
    ----------
    media : Media
        Columnar bodies (Arrow, Parquet) are never small: a hundred bytes of them can hold a hundred thousand rows.
    size : int
        Of the body, in bytes, unpacked.
    read : callable

    Returns
    -------
    object
        What `read` returns.

    Raises
    ------
    Overloaded
        If too many bodies wait for a thread.
    """
    return await run_off_event_loop(size, read, max_inline=MAX_INLINE_BYTES if media in TEXTS else 0)


async def run_off_event_loop(size: int, work: Callable[[], T], *, max_inline: int) -> T:
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
