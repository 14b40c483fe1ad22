"""Rules of HTTP/1.1 that the parser does not hold: what it lets through, two readers could take for two different requests.

The parser refuses what is ambiguous in the syntax. That Host is there once and names whom the address names (RFC 9112, section
3.2), that no coding stands before `chunked` that nobody decodes, that HTTP/1.0 knows no chunks (section 6.1), and which versions
there are (section 2.5), it leaves to the server.
"""

from __future__ import annotations

import re
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]
VERSIONS = ("1.1", "1.0")
# A name, an IPv4 address or one in brackets, and a port (RFC 9110, section 7.2). No comma: two fields that a proxy has joined.
_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(?::[0-9]*)?")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


def last_answer(status: HTTPStatus, title: str, detail: str) -> bytes:
    """Return a problem document (RFC 9457) as bytes; what is no request has no path and no id.

    Parameters
    ----------
    status : HTTPStatus
    title, detail : str

    Returns
    -------
    bytes
        A whole response, after which the connection is closed.
    """
    kind = title.lower().replace(" ", "-")
    body = f'{{"type":"urn:churn:problem:{kind}","title":"{title}","status":{status},"detail":"{detail}"}}'
    return (
        f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
        f"connection: close\r\n\r\n{body}"
    ).encode("ascii")


WRONG_HOST = last_answer(
    HTTPStatus.BAD_REQUEST, "Bad Request", "The header Host must be there once: a name or an address, and at most a port."
)
CHUNKS_OF_OLD = last_answer(HTTPStatus.BAD_REQUEST, "Bad Request", "Version 1.0 has no Transfer-Encoding: send Content-Length.")
TWO_HOSTS = last_answer(HTTPStatus.BAD_REQUEST, "Bad Request", "The address and the header Host name two servers.")
_CODINGS = "Transfer-Encoding may be chunked, and nothing else."
NOT_CHUNKED = last_answer(HTTPStatus.BAD_REQUEST, "Bad Request", _CODINGS)
UNKNOWN_CODING = last_answer(HTTPStatus.NOT_IMPLEMENTED, "Not Implemented", _CODINGS)
UNKNOWN_VERSION = last_answer(
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP Version Not Supported", "The versions 1.1 and 1.0 of HTTP are spoken here."
)


def refusal(version: str, headers: Headers, target: bytes = b"/") -> bytes | None:
    """Return what to answer to a head that breaks a rule, or None.

    Parameters
    ----------
    version : str
        As in the request's first line, such as `1.1`.
    headers : list of (bytes, bytes)
        Names in lower case.
    target : bytes
        As in the first line. One with a server's name (RFC 9112, section 3.2.2) must have the name of the header Host: one reader
        obeys the first, and another, as here the check of names, the second.

    Returns
    -------
    bytes or None

    Examples
    --------
    >>> refusal("1.1", [(b"host", b"localhost:8000")])
    >>> refusal("1.1", []) == WRONG_HOST
    True
    >>> refusal("1.1", [(b"host", b"localhost")], b"http://another/predict") == TWO_HOSTS
    True
    """
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
            named = _ABSOLUTE.match(target)
            two = named is not None and named[1].lower() != value.lower()
            if hosts > 1 or two or not _HOST.fullmatch(value):
                return TWO_HOSTS if two else WRONG_HOST
        elif name == b"transfer-encoding":
            if version == "1.0":
                return CHUNKS_OF_OLD
            *before, last = [coding.strip() for coding in value.lower().split(b",")]
            if last != b"chunked":
                return NOT_CHUNKED
            if before:
                return UNKNOWN_CODING
    if version not in VERSIONS:
        return UNKNOWN_VERSION
    return WRONG_HOST if version == "1.1" and not hosts else None
