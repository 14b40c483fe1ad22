from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from service.app import ServiceApp, create_app
from tests.unit.service.fakes import (
    CUSTOMER,
    KEY_TEXT,
    KEYS,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_model,
    make_settings,
)
from tests.unit.service.wire import Wire, request_bytes

pytestmark = pytest.mark.anyio
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = [(b"Host", b"127.0.0.1"), (b"Content-Type", b"application/json"), (b"X-Request-ID", b"r-1")]
# Parts of an answer that are new each time.
NEW = (b'"prediction_id":"', b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-")


class Ordinary:
    """An app without its fast path."""

    def __init__(self, app: ServiceApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Clock:
    """A loop at another time, in which no timer goes off."""

    def __init__(self, now: float) -> None:
        self.time = lambda: now

    def call_later(self, *_given: Any) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(3600, lambda: None)


@pytest.fixture
async def app(app: ServiceApp) -> AsyncIterator[ServiceApp]:
    async with app.lifespan():
        yield app


def request(body: bytes | dict[str, Any] = CUSTOMER, *more: tuple[bytes, bytes], target: bytes = b"/predict") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request_bytes("POST", target, [*HEADERS, (b"Content-Length", b"%d" % len(content)), *more], content)


def comparable(answer: bytes) -> bytes:
    for start in NEW:
        before, found, after = answer.partition(start)
        answer = before + found + after[36 if b"id" in start else 16 :]
    return answer


async def ask(app: Any, *pieces: bytes) -> bytes:
    wire = Wire(app)
    wire.send(*pieces)
    return await wire.answer()


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The targets of what became an ASGI request."""
    seen: list[str] = []
    call = ServiceApp.__call__

    async def noted(app: ServiceApp, scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await call(app, scope, receive, send)

    monkeypatch.setattr(ServiceApp, "__call__", noted)
    return seen


PLAIN = [
    request(),
    request({**CUSTOMER, "customer_id": "c-1"}),
    request(target=b"/predict?reasons=3"),
    request(CUSTOMER, (b"traceparent", TRACE)),
    request(CUSTOMER, (b"Accept", b"*/*"), (b"User-Agent", b"curl/8"), (b"Accept-Encoding", b"gzip")),
    request({"total_day_minutes": 1e-7, "international_plan": None}),
]


@pytest.mark.parametrize("plain", PLAIN)
async def test_the_bytes_of_an_answer_are_those_of_the_ordinary_path(
    app: ServiceApp, store: FakeStore, routed: list[str], plain: bytes
) -> None:
    fast = await ask(app, plain)
    assert not routed, "a plain request became an ASGI request"
    ordinary = await ask(Ordinary(app), plain)
    assert routed
    assert fast.startswith(b"HTTP/1.1 200 OK\r\n")
    assert comparable(fast) == comparable(ordinary)
    first, second = store.rows
    assert first[3:] == second[3:]


async def test_a_failing_log_is_the_same_problem_on_both_paths(tmp_path: Path, store: FakeStore, registry: FakeRegistry) -> None:
    app = create_app(
        make_settings(tmp_path, spool_max_bytes=0),
        registry=registry,
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with app.lifespan():
        store.away = True
        fast, ordinary = await ask(app, request()), await ask(Ordinary(app), request())
    assert fast.startswith(b"HTTP/1.1 503 ")
    assert fast == ordinary
    assert app.limits.requests == 0


async def test_a_bug_is_a_500_and_is_logged(
    app: ServiceApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = app.state.active_model.current()
    monkeypatch.setattr(served.scorer, "one", lambda _values: 1 / 0)
    fast = await ask(app, request())
    assert fast.startswith(b"HTTP/1.1 500 ")
    assert b"application/problem+json" in fast
    assert "ZeroDivisionError" in caplog.text
    assert app.limits.requests == 0
    assert fast == await ask(Ordinary(app), request())


@pytest.mark.parametrize("cut", [1, 30, -40, -1])
async def test_a_request_in_pieces_takes_the_ordinary_path(app: ServiceApp, routed: list[str], cut: int) -> None:
    whole = request()
    # (The head may come in pieces: what counts is that the body comes with its end.)
    answer = await ask(app, whole[:cut], whole[cut:])
    assert comparable(answer) == comparable(await ask(Ordinary(app), whole))
    assert len(routed) == (1 if cut > 0 else 2)


async def test_a_body_in_chunks_is_put_together(app: ServiceApp) -> None:
    content = json.dumps(CUSTOMER).encode()
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, content[:10], len(content) - 10, content[10:])
    chunked = request_bytes("POST", b"/predict", [*HEADERS, (b"Transfer-Encoding", b"chunked")], chunks)
    assert comparable(await ask(app, chunked)) == comparable(await ask(app, request()))


UNUSUAL = {
    "invalid": request({"total_day_minutes": -1}),
    "not JSON": request(b"{"),
    "no body": request(b""),
    "another query": request(target=b"/predict?reasons=03"),
    "another target": request(target=b"/predict/"),
    "another host": request(CUSTOMER, (b"Host", b"elsewhere.example")),
    "another site": request(CUSTOMER, (b"Origin", b"https://elsewhere.example")),
    "a body that is too large": request(b" " * 70_000),
    "the old HTTP": request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "the last one": request(CUSTOMER, (b"Connection", b"close")),
    "an upgrade": request(CUSTOMER, (b"Connection", b"upgrade"), (b"Upgrade", b"h2c")),
    "GET": request().replace(b"POST", b"GET "),
    "broken": request().replace(b"Content-Length: ", b"Content-Length: x"),
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
async def test_what_is_not_plain_is_left_to_the_ordinary_path(app: ServiceApp, unusual: bytes) -> None:
    fast, ordinary = Wire(app), Wire(Ordinary(app))
    answers = []
    for wire in (fast, ordinary):
        wire.send(unusual)
        answers.append(comparable(await wire.answer()))
    assert answers[0] == answers[1]
    await asyncio.sleep(0)
    assert fast.transport.closed == ordinary.transport.closed


async def test_a_client_that_expects_is_told_to_continue(app: ServiceApp) -> None:
    wire = Wire(app)
    head, _, body = request(CUSTOMER, (b"Expect", b"100-continue")).partition(b"\r\n\r\n")
    wire.send(head + b"\r\n\r\n")
    assert await wire.answer() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(body)
    assert (await wire.answer()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_pipelined_requests_are_answered_in_order(app: ServiceApp, store: FakeStore) -> None:
    wire = Wire(app)
    names = [f"c-{number}" for number in range(4)]
    wire.send(b"".join(request({**CUSTOMER, "customer_id": name}) for name in names))
    answers = [await wire.answer() for _ in names]
    assert [json.loads(answer.partition(b"\r\n\r\n")[2])["customer_id"] for answer in answers] == names
    # And the connection is as good as new.
    wire.send(request())
    assert (await wire.answer()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(store.rows) == 5


async def test_no_answer_leaves_before_its_record_is_kept(app: ServiceApp, store: FakeStore) -> None:
    store.gate.clear()
    wire = Wire(app)
    wire.send(request())
    await asyncio.to_thread(store.writing.wait, 10)
    assert wire.transport.written == b""
    assert app.limits.requests == 1
    store.gate.set()
    assert (await wire.answer()).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(store.rows) == 1


async def test_a_client_that_went_away_disturbs_nobody(app: ServiceApp, store: FakeStore) -> None:
    store.gate.clear()
    gone, stays = Wire(app), Wire(app)
    gone.send(request())
    stays.send(request())
    await asyncio.to_thread(store.writing.wait, 10)
    gone.lose()
    store.gate.set()
    assert (await stays.answer()).startswith(b"HTTP/1.1 200 OK\r\n")
    while app.limits.requests:
        await asyncio.sleep(0.001)
    assert gone.transport.written == b""
    assert len(store.rows) == 2


async def test_a_server_that_stops_finishes_a_request_and_closes(app: ServiceApp, store: FakeStore) -> None:
    store.gate.clear()
    wire = Wire(app)
    wire.send(request())
    await asyncio.to_thread(store.writing.wait, 10)
    wire.connection.shutdown()
    assert not wire.transport.closed
    store.gate.set()
    answer = await wire.answer()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert wire.transport.closed


async def test_an_idle_connection_is_closed_and_one_that_asks_again_is_not(
    app: ServiceApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, asking = Wire(app), Wire(app)
    for wire in (idle, asking):
        wire.send(request())
        await wire.answer()
    asking.send(request()[:20])
    loop = asyncio.get_running_loop()
    start = loop.time()
    for seconds, closed in ((4.0, False), (6.0, True)):
        for wire in (idle, asking):
            with monkeypatch.context() as later:
                later.setattr(wire.connection, "loop", Clock(start + seconds))
                wire.connection._check_idle()
        assert (idle.transport.closed, asking.transport.closed) == (closed, False)
    asking.send(request()[20:])
    assert (await asking.answer()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_rate_and_keys_hold_here_too(tmp_path: Path, store: FakeStore) -> None:
    app = create_app(
        make_settings(tmp_path, api_keys=KEYS, rate_limit=0.001, rate_burst=2),
        registry=FakeRegistry(make_model()),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with app.lifespan():
        keys = [b"guess", *(KEY_TEXT[scope].encode() for scope in ("outcomes", "predict", "predict", "predict"))]
        answers = [await ask(app, request(CUSTOMER, (b"X-API-Key", key))) for key in keys]
    assert [int(answer.split()[1]) for answer in answers] == [401, 403, 200, 200, 429]
    assert len(store.rows) == 2
