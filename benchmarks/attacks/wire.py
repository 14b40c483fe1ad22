"""Attacks on the protocol rather than on a reader: bytes without end, slow, cut off, lying, flooding. Each stops by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HOST = b"Host: 127.0.0.1\r\n"
PREDICT = b"POST /predict HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
BATCH = PREDICT.replace(b"/predict", b"/predict/batch")
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
CUSTOMER = b'{"total_day_minutes":100}'
_ONE = PREDICT + b"Content-Length: %d\r\n\r\n" % len(CUSTOMER) + CUSTOMER
_ROWS = b'{"customers":[' + b",".join([CUSTOMER] * 20_000) + b"]}"


@dataclass(frozen=True)
class Wire:
    """Bytes for a socket: a beginning, then a piece again and again until it was sent so often or the server closes.

    Attributes
    ----------
    name : str
    begin, piece, end : bytes
    times : int
        How often the piece is sent.
    pause : float
        Seconds before each piece.
    connections : int
        How many do so at once.
    is_read : bool
        Whether the answer is waited for; if not, the connection is reset after the last piece.
    """

    name: str
    begin: bytes
    piece: bytes = b""
    times: int = 0
    end: bytes = b""
    pause: float = 0.0
    connections: int = 1
    is_read: bool = True


def wire_attacks() -> Iterator[Wire]:
    """Yield them all, in about a minute's worth."""
    yield from _endless()
    yield from _floods()
    yield from _slow()
    yield from _lies()


def _endless() -> Iterator[Wire]:
    last = PREDICT + CHUNKS + b"2\r\n{}\r\n0\r\n"
    yield Wire("trailers without end", last, b"X-A: b\r\n" * 1_000, 8_000)
    yield Wire("one trailer without end", last + b"X-A: ", b"a" * 8_000, 4_000)
    yield Wire("a head without end", GET, b"X-A: b\r\n" * 1_000, 4_000)
    yield Wire("a header line without end", GET + b"X-A: ", b"a" * 8_000, 4_000)
    yield Wire("a path without end", b"GET /", b"a" * 8_000, 4_000)
    yield Wire("a head of thirty thousand fields", GET + b"a:\r\n" * 30_000, end=b"\r\n", connections=20)
    yield Wire("a body without end, in chunks", BATCH + CHUNKS, b"ffff\r\n" + b" " * 0xFFFF + b"\r\n", 1_000)
    yield Wire("a body of a gigabyte, announced", BATCH + b"Content-Length: 1000000000\r\n\r\n", b" " * 65_536, 1_000)
    yield Wire("a body for a route without one", GET + CHUNKS, b"ffff\r\n" + b" " * 0xFFFF + b"\r\n", 1_000)


def _floods() -> Iterator[Wire]:
    yield Wire("chunks of one byte", BATCH + CHUNKS, b"1\r\n \r\n" * 1_000, 4_000)
    yield Wire("chunk extensions", BATCH + CHUNKS, (b"1;" + b"x" * 4_000 + b"\r\n \r\n") * 10, 1_000)
    yield Wire("a chunk size of zeros", BATCH + CHUNKS, b"0" * 8_000, 2_000)
    yield Wire("requests that are not waited for", b"", (GET + b"\r\n") * 500, 500, connections=4)
    yield Wire("predictions that are not waited for", b"", _ONE * 200, 100, connections=4)
    yield Wire("empty lines", b"", b"\r\n" * 4_000, 1_000)
    yield Wire("connections that are reset in a body", PREDICT + b"Content-Length: 1000\r\n\r\n{", connections=300, is_read=False)
    length = b"Content-Length: %d\r\n\r\n" % len(_ROWS)
    yield Wire("answers that nobody waits for", BATCH + length + _ROWS, connections=8, is_read=False)


def _slow() -> Iterator[Wire]:
    yield Wire("a head, a byte at a time", b"", b"G", 40, pause=0.3, connections=50)
    yield Wire("a body, a byte at a time", PREDICT + b"Content-Length: 1000\r\n\r\n", b" ", 30, pause=0.3, connections=50)
    yield Wire("chunks, one at a time", BATCH + CHUNKS, b"1\r\n \r\n", 30, pause=0.3, connections=50)
    yield Wire("connections that say nothing", b"", pause=0.5, times=1, connections=300)
    expect = b"Expect: 100-continue\r\nContent-Length: 9000\r\n\r\n"
    yield Wire("an expected go-ahead, and no body", PREDICT + expect, connections=50)
    yield Wire("bodies that stop, more than may be in work", PREDICT + b"Content-Length: 1000\r\n\r\n{", connections=300)
    half = b"Content-Length: %d\r\n\r\n" % len(_ROWS) + _ROWS[: len(_ROWS) // 2]
    yield Wire("half a large body", BATCH + half, connections=8)


def _lies() -> Iterator[Wire]:
    yield Wire("a length that is too small", PREDICT + b"Content-Length: 2\r\n\r\n" + CUSTOMER)
    yield Wire("a chunk of sixteen exabytes", PREDICT + CHUNKS + b"ffffffffffffffff\r\n" + CUSTOMER)
    yield Wire("two lengths", PREDICT + b"Content-Length: 2\r\nContent-Length: 25\r\n\r\n" + CUSTOMER)
    yield Wire("a length and chunks", PREDICT + b"Content-Length: 2\r\n" + CHUNKS + b"0\r\n\r\n")
    yield Wire("another protocol's greeting", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00" * 1_000, 100)
    yield Wire("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\xa5" * 1_000, 100)
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n"
    yield Wire("a websocket", GET + upgrade, b"\x82\xff" + b"\xff" * 1_000, 100)
    yield Wire("a gzip header on nothing", BATCH + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n")
