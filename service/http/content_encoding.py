"""Unpack a compressed body, never to more bytes than a body may have. One rule for each route that reads one."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from service.http.errors import FieldProblem, TooLarge, Unprocessable, WrongMediaType

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def content_encoding(headers: Mapping[str, str]) -> str:
    """Return how a body is compressed, by the request's headers.

    Parameters
    ----------
    headers : mapping of str to str

    Returns
    -------
    str
        "gzip", "x-gzip" or "deflate"; empty if it is as it is.

    Raises
    ------
    WrongMediaType
        If it is compressed in another way, or more than once.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in _WINDOWS:
        raise WrongMediaType("Send the body as it is, or with Content-Encoding gzip or deflate.")
    return encoding


def unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Decompress a body.

    Parameters
    ----------
    body : bytes
    encoding : str
        As `content_encoding` returns it.
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
    if not encoding:
        return body
    stream = zlib.decompressobj(_WINDOWS[encoding])
    try:
        unpacked = stream.decompress(body, max_bytes + 1)
    except zlib.error:
        raise _broken(f"must be {encoding}, as its header says") from None
    if len(unpacked) > max_bytes:
        raise TooLarge(f"The body may have at most {max_bytes} bytes, unpacked.")
    if not stream.eof or stream.unused_data:
        raise _broken(f"the {encoding} data is cut off, or goes on after its end")
    return unpacked


def _broken(problem: str) -> Unprocessable:
    return Unprocessable("1 problem found.", [FieldProblem(field="body", problem=problem)])
