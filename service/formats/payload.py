"""A batch's body: read, and unpacked if it was compressed, never to more bytes than a body may have."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from service.formats.json_text import refuse
from service.http.body import BodyLimits, read_body
from service.http.errors import TooLarge, WrongMediaType
from service.threads import CLIENT_WORK

T = TypeVar("T")
# Smaller bodies are read on the event loop: to hand them to a thread would take as long.
MAX_INLINE_BYTES = 16 * 1024
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


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
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity") and encoding not in _WINDOWS:
        raise WrongMediaType("Send the body as it is, or with Content-Encoding gzip or deflate.")
    body = await read_body(request, limits)
    if encoding in _WINDOWS:
        return await run_off_event_loop(len(body), lambda: unpack(body, encoding, limits.max_bytes))
    return body


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Decompress a body.

    Parameters
    ----------
    body : bytes
    encoding : str
        "gzip", "x-gzip" or "deflate".
    max_bytes : int
        At most so many bytes once unpacked.

    Returns
    -------
    bytes

    Raises
    ------
    TooLarge
        If there are more.
    Unprocessable
        If the data are broken, cut off, or go on after their end.
    """
    stream = zlib.decompressobj(_WINDOWS[encoding])
    try:
        unpacked = stream.decompress(body, max_bytes + 1)
    except zlib.error:
        refuse("body", f"must be {encoding}, as its header says")
    if len(unpacked) > max_bytes:
        raise TooLarge(f"The body may have at most {max_bytes} bytes, unpacked.")
    if not stream.eof or stream.unused_data:
        refuse("body", f"the {encoding} data is cut off, or goes on after its end")
    return unpacked


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
