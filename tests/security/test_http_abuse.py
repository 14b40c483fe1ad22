"""What no HTTP library would send, over a socket to the real server: refused, bounded, and never taken for another request."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.app import ServiceApp
from service.server import slow_clients
from tests.integration.live import live
from tests.unit.service.fakes import KEYS, FakeStore

HOST = b"Host: 127.0.0.1\r\n"
BODY = b'{"total_day_minutes": 100}'
SECRET_ROUTE = b"GET /admin/failures HTTP/1.1\r\nHost: x\r\n\r\n"
Address = tuple[str, int]


@pytest.fixture
def address(make_app: Callable[..., ServiceApp]) -> Iterator[Address]:
    with live(make_app()) as where:
        yield where


def ask(address: Address, raw: bytes, *, is_all: bool = True) -> bytes:
    """Send bytes, say that there are no more (if that is all), and give what comes back until the server closes."""
    with socket.create_connection(address, 10) as client:
        client.settimeout(10)
        try:
            client.sendall(raw)
            if is_all:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was turned away before it was all sent
        parts = []
        try:
            while part := client.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts)


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def post(headers: bytes, body: bytes = BODY) -> bytes:
    return b"POST /predict HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


# Two readers of one of these could see two different requests (request smuggling; RFC 9112, 6.3 and 11.2).
AMBIGUOUS = {
    "length and chunks": post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SECRET_ROUTE),
    "chunks and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n" + SECRET_ROUTE),
    "two lengths": post(b"Content-Length: 26\r\nContent-Length: 5\r\n"),
    "the same length twice": post(b"Content-Length: 26\r\nContent-Length: 26\r\n"),
    "a list of lengths": post(b"Content-Length: 26, 26\r\n"),
    "a length with a sign": post(b"Content-Length: +26\r\n"),
    "a negative length": post(b"Content-Length: -1\r\n"),
    "a length beyond 64 bits": post(b"Content-Length: 99999999999999999999\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "chunked is not the last": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "a blank before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a folded header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Request-ID: a\r\n b\r\n\r\n",
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n",
    "a carriage return in a value": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: a\rX-B: c\r\n\r\n",
    "a NUL in a header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: a\x00b\r\n\r\n",
    "a NUL in the path": b"GET /healthz\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a chunk without a length": post(b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
    "a chunk beyond 64 bits": post(b"Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\n"),
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a proxy's method": b"CONNECT 10.0.0.1:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "two servers, the other in the address": b"GET http://evil.example/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "two servers, the other as host": b"GET http://127.0.0.1/model HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "an invented method": b"FETCH /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
}


def test_what_two_could_read_differently_is_refused_and_the_connection_closed(address: Address) -> None:
    for name, raw in AMBIGUOUS.items():
        answer = ask(address, raw + SECRET_ROUTE)
        assert statuses(answer) == [400], name
        assert b"connection: close" in answer.lower(), name
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (problem["status"], problem["type"]) == (400, "urn:churn:problem:bad-request"), name


def test_odd_requests_that_are_clear_are_answered_for_what_they_are(address: Address) -> None:
    for raw, expected in (
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET http://127.0.0.1/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET http://evil.example/model HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /model HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET /healthz%00 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /a%0d%0aSet-Cookie:%20x=1 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
        (post(b"Expect: 100-continue\r\nContent-Length: 99999999\r\n", b""), 413),
    ):
        answer = ask(address, raw)
        assert statuses(answer)[-1] == expected, raw
        assert b"set-cookie" not in answer.lower().partition(b"\r\n\r\n")[0]


def test_a_head_without_end_is_cut_off_before_it_costs_memory(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[int] = []
    receive = slow_clients.Connection.data_received

    def counted(self: slow_clients.Connection, data: bytes) -> None:
        received[-1] += len(data)
        receive(self, data)

    monkeypatch.setattr(slow_clients.Connection, "data_received", counted)
    for start in (b"GET /healthz HTTP/1.1\r\nX-A: ", b"GET /" + b"a" * 10, b"GET /healthz HTTP/1.1\r\n"):
        line = b"a" * 1000 if start.endswith((b" ", b"a")) else b"X-A: b\r\n" * 100
        received.append(0)
        answer = ask(address, start + line * 40_000)
        # It may be reset before the answer is read: there is more on the way than anybody reads.
        assert statuses(answer) in ([414] if start.startswith(b"GET /a") else [431], []), start
        assert not answer or json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == statuses(answer)[0]
    # What is read at once (256 KiB) may have come before it is looked at.
    assert max(received) <= slow_clients.MAX_HEAD_BYTES + 2**18


def test_who_never_ends_his_head_is_not_waited_for(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.2)
    ended = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
    too_much = b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n"
    for begun in (b"", b"GET", b"\r\n", b"GET /healthz HTTP/1.1\r\nX-A: ", ended + b"GET /", ended + b"\r\n", too_much):
        with socket.create_connection(address, 10) as client:
            client.settimeout(10)
            client.sendall(begun)
            deadline = time.monotonic() + 60
            # A byte now and then does not help: the whole head has its time.
            client.settimeout(0.05)
            closed = False
            while not closed and time.monotonic() < deadline:
                try:
                    closed = client.recv(65536) == b""
                except TimeoutError:
                    with_more = begun and not begun.startswith(ended)
                    client.sendall(b"a" if with_more else b"")
                except OSError:
                    closed = True
            assert closed, begun


def test_who_does_not_read_his_answer_is_not_waited_for(
    address: Address, monkeypatch: pytest.MonkeyPatch, store: FakeStore
) -> None:
    monkeypatch.setattr(slow_clients, "READ_SECONDS", 0.3)
    given_up, check = threading.Event(), slow_clients.Connection._check_reader

    def noted(connection: slow_clients.Connection) -> None:
        check(connection)
        if connection.transport.is_closing():
            given_up.set()

    monkeypatch.setattr(slow_clients.Connection, "_check_reader", noted)
    rows = 60_000
    body = b'{"customers":[' + b",".join([BODY] * rows) + b"]}"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(120)
        client.connect(address)
        client.sendall(b"POST /predict/batch HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n")
        client.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert given_up.wait(120)
        assert len(store.rows) == rows
        read = 0
        try:
            while part := client.recv(65536):
                read += len(part)
        except ConnectionResetError:
            pass
        assert read < rows * 100, "the whole answer was kept for somebody who did not read"


def test_a_pipeline_of_requests_is_answered_in_order_and_by_its_own_keys(make_app: Callable[..., ServiceApp]) -> None:
    one = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Request-ID: n%d\r\n\r\n"
    with live(make_app(api_keys=KEYS)) as address:
        last = SECRET_ROUTE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        answer = ask(address, b"".join(one % n for n in range(50)) + last, is_all=False)
    assert statuses(answer) == [200] * 50 + [401]
    places = [answer.index(b"x-request-id: n%d\r\n" % n) for n in range(50)]
    assert all(before < after for before, after in pairwise(places))


FRAGMENTS = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/predict", b"/healthz", b" HTTP/1.1", b"\r\n", b"\n", b"\r\n\r\n", HOST, b"Content-Length: "),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"0",
            b"26",
            BODY,
            b"\x00",
            b"\xff",
            b": ",
            b" ",
            b"\t",
            b"1a\r\n",
            b"Expect: 100-continue\r\n",
        ),
    ]
)


def test_no_bytes_whatsoever_are_a_server_error(address: Address) -> None:
    @given(st.lists(FRAGMENTS | st.binary(max_size=20), max_size=12).map(b"".join))
    @example(b"")
    @example(post(b"Content-Length: 26\r\n"))
    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    def holds(raw: bytes) -> None:
        for status in statuses(ask(address, raw)):
            assert status < 500, raw

    holds()
    counted = ask(address, b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"churn_http_requests_total{" in counted
    assert b'status="5' not in counted
    assert statuses(ask(address, post(b"Content-Length: 26\r\n"))) == [200]
