"""Deadlines of a connection, on timers that the test rings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from starlette.types import Receive, Scope, Send

from service.server.bounded_messages import MAX_HEADERS
from service.server.slow_clients import HEAD_SECONDS, MAX_HEAD_BYTES, READ_SECONDS, Connection
from tests.unit.service.wire import MemoryTransport, Wire

pytestmark = pytest.mark.anyio
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class Timer:
    def __init__(self, seconds: float, ring: Callable[[], None]) -> None:
        self.seconds, self.ring, self.cancelled = seconds, ring, False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """The running loop, but for `call_later`."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        self.loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, ring))
        return self.timers[-1]

    def set(self) -> list[float]:
        """Which timers would ring, in seconds."""
        return [timer.seconds for timer in self.timers if not timer.cancelled]

    def ring(self) -> None:
        """Let the only one that is set ring."""
        (timer,) = (timer for timer in self.timers if not timer.cancelled)
        self.timers.remove(timer)
        timer.ring()


class Transport(MemoryTransport):
    unread = 0
    aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.aborted = True


class SlowWire(Wire):
    def __init__(self, app: Any) -> None:
        super().__init__(app)
        config, state = self.connection.config, self.connection.server_state
        self.connection.connection_lost(None)
        self.transport, self.clock = Transport(), Clock()
        self.connection = Connection(config, state, {}, _loop=cast(asyncio.AbstractEventLoop, self.clock))
        self.connection.connection_made(cast(Any, self.transport))


class Held:
    """Answers when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def held() -> Held:
    return Held()


@pytest.fixture
async def wire(held: Held) -> AsyncIterator[SlowWire]:
    made = SlowWire(held)
    yield made
    # Whatever still waits ends with the test.
    held.may.set()
    made.connection.resume_writing()
    made.lose()


async def test_who_says_nothing_or_no_whole_head_is_hung_up_on(wire: SlowWire) -> None:
    assert wire.clock.set() == [HEAD_SECONDS]
    wire.send(HEAD, b"X-A: b\r\n")
    assert wire.clock.set() == [HEAD_SECONDS], "more pieces give no more time"
    wire.clock.ring()
    assert wire.transport.closed
    assert not wire.transport.aborted


async def test_a_whole_head_ends_the_deadline_and_no_timer_is_set_for_the_answer(wire: SlowWire, held: Held) -> None:
    wire.send(HEAD + b"\r\n")
    assert wire.clock.set() == []
    held.may.set()
    await wire.answer()
    wire.clock.timers.clear()
    wire.send(HEAD)
    assert HEAD_SECONDS in wire.clock.set(), "the next head must follow in time too"


async def test_a_body_that_is_on_its_way_has_no_deadline_here(wire: SlowWire) -> None:
    wire.send(POST)
    wire.send(b"ab")
    assert wire.clock.set() == []


async def test_while_an_earlier_request_is_answered_the_next_head_may_wait(wire: SlowWire, held: Held) -> None:
    wire.send(HEAD + b"\r\n" + HEAD)
    assert wire.clock.set() == [HEAD_SECONDS]
    wire.clock.ring()
    assert not wire.transport.closed
    assert wire.clock.set() == [HEAD_SECONDS], "it is asked again"
    held.may.set()
    await wire.answer()
    for timer in [one for one in wire.clock.timers if not one.cancelled and one.seconds == HEAD_SECONDS]:
        timer.ring()
    assert wire.transport.closed


async def test_a_head_in_pieces_is_no_larger_than_it_may_be(wire: SlowWire) -> None:
    size = MAX_HEAD_BYTES - len(HEAD)
    wire.send(HEAD, b"X-A: " + b"b" * (size - 5))
    assert wire.transport.written == b""
    wire.send(b"b")
    assert wire.transport.written.startswith(b"HTTP/1.1 4")
    assert wire.transport.closed


async def test_each_head_is_measured_for_itself(wire: SlowWire, held: Held) -> None:
    held.may.set()
    for _ in range(3):
        wire.send(HEAD, b"X-A: " + b"b" * (MAX_HEAD_BYTES // 2), b"\r\n\r\n")
        assert (await wire.answer()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("fields", "status"), [(MAX_HEADERS - 1, b"200"), (MAX_HEADERS, b"431")])
async def test_a_head_in_one_piece_has_so_many_fields(wire: SlowWire, held: Held, fields: int, status: bytes) -> None:
    held.may.set()
    wire.send(HEAD + b"X-A: b\r\n" * fields + b"\r\n")
    assert (await wire.answer()).startswith(b"HTTP/1.1 " + status)


async def test_who_does_not_read_the_answer_is_cut_off(wire: SlowWire) -> None:
    wire.send(HEAD + b"\r\n")
    wire.transport.unread = 100
    wire.connection.pause_writing()
    assert wire.clock.set() == [READ_SECONDS]
    wire.transport.unread = 99
    wire.clock.ring()
    assert not wire.transport.aborted, "it reads, slowly"
    assert wire.clock.set() == [READ_SECONDS]
    wire.clock.ring()
    assert wire.transport.aborted, "nothing more was read"


async def test_who_reads_on_is_left_alone(wire: SlowWire) -> None:
    wire.send(HEAD + b"\r\n")
    wire.connection.pause_writing()
    assert wire.connection.flow.write_paused
    wire.connection.resume_writing()
    assert wire.clock.set() == []
    assert not wire.connection.flow.write_paused
    wire.connection.resume_writing()


async def test_a_connection_that_is_lost_leaves_no_timer(wire: SlowWire) -> None:
    wire.send(HEAD)
    wire.connection.pause_writing()
    assert sorted(wire.clock.set()) == [HEAD_SECONDS, READ_SECONDS]
    wire.lose()
    assert wire.clock.set() == []
    silent = SlowWire(Held())
    silent.lose()
    assert silent.clock.set() == []
