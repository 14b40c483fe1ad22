"""Heads that break a rule of HTTP/1.1, and a comparison with h11, which holds the same rules by other code."""

from __future__ import annotations

import json
from itertools import product

import h11
import pytest
from starlette.types import Receive, Scope, Send

from tests.unit.service.wire import Wire

pytestmark = pytest.mark.anyio
HOST = b"Host: 127.0.0.1\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b"0\r\n\r\n"
REFUSED = {
    "no host": (b"1.1", b"", 400),
    "two hosts": (b"1.1", HOST + HOST, 400),
    "two other hosts": (b"1.1", HOST + b"Host: evil.example\r\n", 400),
    "two hosts in HTTP/1.0": (b"1.0", HOST + HOST, 400),
    "hosts that a proxy joined": (b"1.1", b"Host: a, b\r\n", 400),
    "a host with a blank": (b"1.1", b"Host: a b\r\n", 400),
    "a host with a path": (b"1.1", b"Host: a/b\r\n", 400),
    "a host with a user": (b"1.1", b"Host: me@a\r\n", 400),
    "a host that is no ASCII": (b"1.1", b"Host: \xc3\xa4\r\n", 400),
    "a port that is no number": (b"1.1", b"Host: a:http\r\n", 400),
    "a coding before chunked": (b"1.1", HOST + b"Transfer-Encoding: gzip, chunked\r\n", 501),
    "a coding in a field of its own": (b"1.1", HOST + b"Transfer-Encoding: gzip\r\n" + CHUNKED, 400),
    "an unknown coding": (b"1.1", HOST + b"Transfer-Encoding: xyz\r\n", 400),
    "chunks in HTTP/1.0": (b"1.0", HOST + CHUNKED, 400),
    "an upgrade without a host": (b"1.1", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", 400),
    "HTTP/2 by its name alone": (b"2.0", HOST, 505),
}
GOOD_HOSTS = (b"a", b"churn_service:8000", b"127.0.0.1:80", b"[::1]:8000", b"[fe80::1%25eth0]", b"", b"a.b-c.example:")


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


def sent(raw: bytes) -> Wire:
    wire = Wire(hello)
    wire.send(raw)
    return wire


@pytest.mark.parametrize("path", [b"/predict", b"/healthz"])
@pytest.mark.parametrize(("version", "fields", "status"), REFUSED.values(), ids=REFUSED)
async def test_a_head_that_breaks_a_rule_is_refused_on_every_path(
    path: bytes, version: bytes, fields: bytes, status: int
) -> None:
    wire = sent(b"POST " + path + b" HTTP/" + version + b"\r\n" + fields + b"\r\n" + BODY)
    head, _, body = wire.transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert wire.transport.closed
    problem = json.loads(body)
    assert problem["status"] == status
    assert any(word in problem["detail"] for word in ("Host", "Transfer-Encoding", "versions"))


async def test_one_request_that_is_refused_ends_after_those_before_it(anyio_backend: str) -> None:
    wire = sent(b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"connection: close" in await wire.answer()
    assert wire.transport.closed
    assert wire.transport.written == b""


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_a_host_as_it_is_written_is_answered(host: bytes) -> None:
    assert (await sent(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").answer()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("scheme", [b"http", b"HTTPS", b"rtsp"])
@pytest.mark.parametrize("path", [b"/", b"/predict?to=http://evil.example/"])
async def test_an_address_with_a_name_has_the_name_of_the_host(scheme: bytes, path: bytes) -> None:
    def asking(named: bytes) -> Wire:
        return sent(b"GET " + scheme + b"://" + named + path + b" HTTP/1.1\r\nHost: Churn:8000\r\n\r\n")

    assert (await asking(b"churn:8000").answer()).startswith(b"HTTP/1.1 200 ")
    for other in (b"evil.example", b"churn", b"churn:80", b"me@churn:8000", b"churn:8000.evil.example"):
        wire = asking(other)
        assert wire.transport.written.startswith(b"HTTP/1.1 400 ")
        assert wire.transport.closed


async def test_http_1_0_needs_no_host_and_is_not_told_to_continue() -> None:
    answer = await sent(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab").answer()
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_that_a_trailer_ends_is_closed() -> None:
    wire = sent(b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n0\r\nConnection: close\r\n\r\n")
    assert b"connection: close" in await wire.answer()
    assert wire.transport.closed


FIELDS = (
    *(b"", HOST, b"Host: a, b\r\n", CHUNKED, b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n"),
    *(b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n", b"transfer-encoding: \x0bchunked\r\n"),
    *(b"Content-Length: 5\r\n", b"Content-Length: 6\r\n", b"Content-Length: +5\r\n", b"Content-Length: 0x5\r\n"),
    *(b"Content-Length: 5_0\r\n", b"Content-Length: 5, 6\r\n", b"Content-Length:\r\n", b"Content-Length: -1\r\n"),
    *(
        b" X: a\r\n",
        b"X\r\n",
        b": a\r\n",
        b"X\x00: a\r\n",
        b"X: a\x00\r\n",
        b"X: a\rY: b\r\n",
        b"X(a): b\r\n",
        b"\xc3\xa4: b\r\n",
    ),
    *(b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
)
LINES = (b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.0\r\n", b"GET /\r\n")


def reference_refuses(raw: bytes) -> bool:
    reference = h11.Connection(h11.SERVER)
    reference.receive_data(raw)
    try:
        while (event := reference.next_event()) not in (h11.NEED_DATA, h11.PAUSED) and not isinstance(event, h11.EndOfMessage):
            pass
    except h11.RemoteProtocolError:
        return True
    return False


async def test_what_h11_refuses_is_refused() -> None:
    for line, first, second in product(LINES, FIELDS, FIELDS):
        raw = line + HOST + first + second + b"\r\n" + BODY
        for request in (raw, raw.replace(HOST, b"", 1)):
            if reference_refuses(request):
                wire = sent(request)
                assert wire.transport.closed, request
                assert wire.transport.written[9:10] in (b"4", b"5"), request
