"""What a body takes while it is on its way, and others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.app import ServiceApp, create_app
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings
from tests.unit.service.wire import Wire

pytestmark = pytest.mark.anyio
HEAD = b"HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
PLAIN = b"POST /predict " + HEAD + b"Content-Length: 25\r\n\r\n" + b'{"total_day_minutes":100}'
BATCH = b"POST /predict/batch " + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[ServiceApp]:
    settings = make_settings(tmp_path, max_concurrent=3, max_body_bytes=1_000_000, max_inflight_bytes=1_000_000)
    made = create_app(
        settings,
        registry=FakeRegistry(make_model("1")),
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with made.lifespan():
        yield made


async def status(app: ServiceApp, raw: bytes) -> bytes:
    wire = Wire(app)
    wire.send(raw)
    return (await wire.answer())[9:12]


async def until_waiting(app: ServiceApp, held: int) -> None:
    async with asyncio.timeout(60):
        while app.limits.bytes < held:
            await asyncio.sleep(0.001)


async def test_slow_senders_do_not_take_the_place_of_others(app: ServiceApp) -> None:
    """Each of them announces as much as a body may have, or does not say; all of them are more than may be in work."""
    slow = [Wire(app) for _ in range(20)]
    for wire in slow:
        wire.send(BATCH, b"5\r\n{    \r\n")
    await until_waiting(app, 5 * len(slow))
    assert await status(app, PLAIN) == b"200"
    customers = b'{"customers":[{"account_length":1}]}'
    assert await status(app, BATCH + b"%x\r\n%b\r\n0\r\n\r\n" % (len(customers), customers)) == b"200"
    for wire in slow:
        wire.lose()


async def test_what_has_arrived_counts_and_small_bodies_need_no_room(app: ServiceApp) -> None:
    slow = [Wire(app) for _ in range(9)]
    for wire in slow:
        wire.send(BATCH, b"186a0\r\n" + b" " * 100_000 + b"\r\n")
    await until_waiting(app, 900_000)
    assert (await status(app, BATCH + b"30d40\r\n" + b" " * 200_000 + b"\r\n")) == b"503"
    assert await status(app, PLAIN) == b"200"
    for wire in slow:
        wire.lose()
