from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from service.app import ServiceApp
from service.server import bounded_messages
from service.server.slow_clients import Connection
from tests.unit.service.wire import Wire

pytestmark = pytest.mark.anyio
HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
FIELD = b"X-A: b\r\n"


class Echo:
    """Answers with the headers and the length of the body; a path ending in `status=N` with that status and no body."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            length, more = length + len(message["body"]), message["more_body"]
        self.seen.append(scope)
        content = b"%d" % length
        headers = [(b"content-length", b"%d" % len(content))]
        status = int(scope["path"].partition("status=")[2] or 200)
        if status in (204, 304):
            content, headers = b"", []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def app(app: ServiceApp) -> AsyncIterator[ServiceApp]:
    async with app.lifespan():
        yield app


async def until_closed(wire: Wire) -> bytes:
    async with asyncio.timeout(60):
        while not wire.transport.closed:
            await asyncio.sleep(0)
    return wire.transport.written


@pytest.mark.parametrize("is_split", [False, True])
async def test_no_field_of_a_trailer_becomes_a_header(echo: Echo, is_split: bool) -> None:
    wire = Wire(echo)
    head, body, trailers = CHUNKED, b"2\r\nab\r\n0\r\n", b"Authorization: Bearer secret\r\nContent-Type: text/csv\r\n\r\n"
    wire.send(*((head, body, trailers) if is_split else (head + body + trailers,)))
    assert (await wire.answer()).endswith(b"\r\n\r\n2")
    assert [name for name, _ in echo.seen[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("piece", [FIELD * 1000, b"a" * 10_000], ids=["many fields", "one field"])
async def test_trailers_without_end_are_cut_off(echo: Echo, piece: bytes) -> None:
    wire = Wire(echo)
    wire.send(CHUNKED + b"2\r\nab\r\n0\r\n" + (b"X-A: " if piece.startswith(b"a") else b""))
    sent = 0
    while not wire.transport.closed:
        wire.send(piece)
        sent += len(piece)
        assert sent < 2 * bounded_messages.MAX_FRAMING_BYTES
    assert wire.transport.written.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("chunk", [b"1\r\na\r\n", b"a;" + b"x" * 500 + b"\r\n0123456789\r\n"], ids=["tiny", "extensions"])
async def test_more_framing_than_data_is_cut_off(echo: Echo, chunk: bytes) -> None:
    wire = Wire(echo)
    wire.send(CHUNKED)
    sent = 0
    while not wire.transport.closed:
        wire.send(b"1\r\nb\r\n", chunk * 100)
        sent += 100 * len(chunk)
        assert sent < 4 * bounded_messages.MAX_FRAMING_BYTES
    assert wire.transport.written.startswith(b"HTTP/1.1 431 ")


async def test_a_long_body_in_small_chunks_is_read(echo: Echo) -> None:
    wire = Wire(echo)
    wire.send(CHUNKED)
    for _ in range(100):
        wire.send(b"3\r\nabc\r\n" * 1000)
    wire.send(b"0\r\n\r\n")
    assert (await wire.answer()).endswith(b"\r\n\r\n300000")


async def test_a_head_of_too_many_fields_is_refused_before_anybody_reads_it(echo: Echo) -> None:
    get = b"GET / HTTP/1.1\r\n" + HOST
    wire = Wire(echo)
    wire.send(get + FIELD * (bounded_messages.MAX_HEADERS - 1) + b"\r\n")
    assert (await wire.answer()).startswith(b"HTTP/1.1 200 ")
    wire.send(get + FIELD * bounded_messages.MAX_HEADERS + b"\r\n")
    assert (await until_closed(wire)).startswith(b"HTTP/1.1 431 ")
    assert len(echo.seen) == 1


@pytest.mark.parametrize("is_split", [False, True], ids=["at once", "in pieces"])
async def test_an_address_that_is_too_long_is_told_as_that(echo: Echo, is_split: bool) -> None:
    end = b" HTTP/1.1\r\n" + HOST + b"\r\n"
    for length, status in ((bounded_messages.MAX_TARGET_BYTES - 100, b"200"), (bounded_messages.MAX_TARGET_BYTES + 1, b"414")):
        wire = Wire(echo)
        head = b"POST " + b"/?".ljust(length, b"a") + end
        wire.send(*((head[:40_000], head[40_000:]) if is_split else (head,)))
        answer = await (wire.answer() if status == b"200" else until_closed(wire))
        assert answer.startswith(b"HTTP/1.1 " + status), (length, answer[:100])
    assert b"urn:churn:problem:uri-too-long" in answer
    assert len(echo.seen) == 1


async def test_an_earlier_answer_is_not_replaced_by_the_refusal_of_a_long_address(echo: Echo) -> None:
    wire = Wire(echo)
    wire.send(GET * 2 + b"GET /" + b"a" * 2**17)
    written = await until_closed(wire)
    assert written.count(b"HTTP/1.1 200 ") == written.count(b"HTTP/1.1 ") == 2


async def test_of_a_flood_of_requests_so_many_are_answered_and_no_more_are_kept(echo: Echo) -> None:
    wire = Wire(echo)
    wire.send(GET * 10_000)
    wire.send(GET * 10_000)
    written = await until_closed(wire)
    assert written.count(b"HTTP/1.1 200 ") == len(echo.seen) == bounded_messages.MAX_WAITING_REQUESTS + 1
    assert written.count(b"connection: close") == 1
    assert b"connection: close" in written[written.rindex(b"HTTP/1.1 ") :]


@pytest.mark.parametrize("requests", [1, 3])
async def test_who_has_no_more_to_say_is_answered_all_the_same(echo: Echo, requests: int) -> None:
    wire = Wire(echo)
    wire.send(GET * requests)
    assert wire.connection.eof_received()
    written = await until_closed(wire)
    assert written.count(b"HTTP/1.1 200 ") == requests


@pytest.mark.parametrize("begun", [b"", b"GET / HT", CHUNKED + b"2\r\nab\r\n"], ids=["nothing", "a head", "a body"])
async def test_who_leaves_before_his_request_is_whole_is_not_waited_for(echo: Echo, begun: bytes) -> None:
    wire = Wire(echo)
    wire.send(*[begun] if begun else [])
    assert not wire.connection.eof_received()
    wire.connection.connection_lost(None)


async def test_what_is_not_http_does_not_take_the_place_of_an_earlier_answer(echo: Echo) -> None:
    wire = Wire(echo)
    wire.send(GET * 3 + b"\x00\x01 nonsense\r\n\r\n")
    written = await until_closed(wire)
    assert written.count(b"HTTP/1.1 200 ") == 3
    assert b"HTTP/1.1 400 " not in written


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
@pytest.mark.parametrize("is_split", [False, True])
async def test_who_asks_for_another_protocol_is_answered_in_this_one(echo: Echo, protocol: bytes, is_split: bool) -> None:
    wire = Wire(echo)
    head = b"POST /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\n"
    pieces = [head + b"Content-Length: 3\r\n\r\n", b"abc", head.replace(b"/a", b"/b") + b"Content-Length: 0\r\n\r\n"]
    wire.send(*(pieces if is_split else [b"".join(pieces)]))
    assert (await wire.answer()).endswith(b"\r\n\r\n3")
    assert (await wire.answer()).endswith(b"\r\n\r\n0")
    assert [scope["path"] for scope in echo.seen] == ["/a", "/b"]
    assert not wire.transport.closed


@pytest.mark.parametrize(("method", "path"), [(b"HEAD", b"/"), (b"GET", b"/status=204"), (b"GET", b"/status=304")])
async def test_an_answer_without_a_body_goes_out_without_waiting_for_one(echo: Echo, method: bytes, path: bytes) -> None:
    wire = Wire(echo)
    wire.connection.timeout_keep_alive = 3600  # the end of the connection would bring it, too
    wire.send(method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    async with asyncio.timeout(60):
        while not wire.transport.written.endswith(b"\r\n\r\n"):
            await asyncio.sleep(0.001)
    assert not wire.transport.closed


async def test_head_is_answered_as_get_is_on_every_route(app: ServiceApp) -> None:
    """But for the body, and for what is new in each answer."""
    paths = {path for path in app.openapi()["paths"] if "{" not in path}
    paths |= {"/v2/models/churn", "/v2/models/churn/ready", "/v2/models/other", "/nowhere", "/openapi.json", "/docs", "/"}
    assert len(paths) > 15
    for path in sorted(paths):
        status = []
        for method in (b"GET", b"HEAD"):
            wire = Wire(app)
            wire.connection.timeout_keep_alive = 3600
            wire.send(method + b" " + path.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            async with asyncio.timeout(60):
                while b"\r\n\r\n" not in wire.transport.written:
                    await asyncio.sleep(0.001)
            status.append(wire.transport.written.partition(b"\r\n")[0])
            body = wire.transport.written.partition(b"\r\n\r\n")[2]
            assert not (method == b"HEAD" and body), path
        assert status[0] == status[1], path
        assert status[0][9:12] in (b"200", b"404", b"405", b"409"), (path, status)


def test_a_connection_of_the_service_is_bounded() -> None:
    assert issubclass(Connection, bounded_messages.BoundedMessages)
