from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from churn.errors import StoreError
from service.app import create_app
from service.observability.metrics import ServiceMetrics
from service.prediction_log import log as log_module
from service.prediction_log import sink
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool
from tests.unit.service.fakes import FakeStore, make_settings
from tests.unit.service.prediction_log.helpers import at_once, first_group_in_writing, let_tasks_run, record, sample, until

pytestmark = pytest.mark.anyio


async def test_neither_store_nor_spool_fails_the_requests_only(
    store: FakeStore, metrics: ServiceMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(store, Spool(tmp_path / "spool", 0), metrics)
    log.start()
    assert await log.check() == "store"
    store.away = True
    failed = await asyncio.gather(*(log.write([record()]) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [StoreError] * 3
    with pytest.raises(StoreError, match="last write failed"):
        await log.check()
    monkeypatch.setattr(log_module, "NOT_READY_SECONDS", 0.0)
    with pytest.raises(StoreError, match="full"):
        await log.check()
    store.away = False
    assert await log.check() == "store"
    await log.write([record(), record()])
    assert len(store.rows) == 2
    assert sample(metrics, "churn_log_written_total") == 2
    await log.close()


async def test_pseudonyms_are_all_that_is_written(store: FakeStore, metrics: ServiceMetrics, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 2**20)
    log = PredictionLog(store, spool, metrics, lambda customer_id: f"p:{len(customer_id)}")
    log.start()
    await log.write([record("anna"), record()])
    store.away = True
    await log.write([record("berta")])
    written = b"".join(file.read_bytes() for file in (tmp_path / "spool").iterdir())
    assert [row.customer_id for row in store.rows] == ["p:4", None]
    assert b"p:5" in written
    assert b"berta" not in written
    await log.close()


async def test_request_that_went_away_does_not_disturb_the_others(log: PredictionLog, store: FakeStore) -> None:
    first = await first_group_in_writing(log, store)
    gone, stays = asyncio.create_task(log.write([record()])), asyncio.create_task(log.write([record()]))
    await let_tasks_run()
    gone.cancel()
    first.cancel()
    await let_tasks_run()
    store.gate.set()
    await stays
    await log.write([record()])
    assert sum(store.groups) == 4


async def test_after_a_bug_in_a_write_on_the_event_loop_the_writer_writes_it_and_the_next_round_begins(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "write_rows_at_once", {}.__getitem__)
    for _ in range(2):
        await until(lambda: log._writer.idle)
        await asyncio.gather(log.write([record()]), log.write([record()]))
    assert len(store.rows) == 4


async def test_close_writes_what_is_waiting_then_refuses(log: PredictionLog, store: FakeStore) -> None:
    first = await first_group_in_writing(log, store)
    waiting = asyncio.create_task(log.write([record()]))
    await let_tasks_run()
    closing = asyncio.create_task(log.close())
    await let_tasks_run()
    with pytest.raises(StoreError, match="closed"):
        await log.write([record()])
    with pytest.raises(StoreError, match="closed"):
        await log.check()
    assert not closing.done()
    store.gate.set()
    await asyncio.gather(first, waiting, closing)
    assert len(store.rows) == 2
    log.start()


async def test_what_came_in_the_last_moment_is_kept_when_it_closes(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool
) -> None:
    for _ in range(20):
        log = PredictionLog(store, spool, metrics)
        log.start()
        kept: list[Exception | None] = []
        log.submit([record()], kept.append)
        await log.close()
        assert kept == [None]
    assert len(store.rows) == 20


async def test_lag_is_the_age_of_the_oldest_record_that_waits(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.lag_seconds() == 0
    begun = log_module.time.monotonic()
    first = await first_group_in_writing(log, store)
    second = asyncio.create_task(log.write([record()]))
    await let_tasks_run()
    start = log_module.time.monotonic()
    monkeypatch.setattr(log_module.time, "monotonic", lambda: start + 30)
    assert 30 <= log.lag_seconds() <= start + 30 - begun
    monkeypatch.undo()
    store.gate.set()
    await asyncio.gather(first, second)
    assert log.lag_seconds() == 0


async def test_check_does_not_wait_for_a_store_that_hangs(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "PING_SECONDS", 0.01)
    held, pings = threading.Event(), list[None]()

    def hang() -> None:
        pings.append(None)
        held.wait(120)

    monkeypatch.setattr(store, "ping", hang)
    assert await asyncio.gather(*(log.check() for _ in range(3))) == ["spool"] * 3
    assert await log.check() == "spool"
    held.set()
    assert len(pings) == 1


async def test_few_records_are_written_by_the_loop_itself_all_of_one_round_together(
    log: PredictionLog, store: FakeStore, metrics: ServiceMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: log._writer.idle)
    calls: list[int] = []
    write = at_once(store)
    monkeypatch.setattr(store, "write_rows_at_once", lambda rows: calls.append(len(rows)) or write(rows))
    records = [record() for _ in range(5)]
    await asyncio.gather(*(log.write([one]) for one in records))
    assert (store.rows, store.groups, calls) == (records, [], [5])
    assert sample(metrics, "churn_log_written_total") == 5


async def test_a_slow_disk_does_not_hold_up_the_loop_twice(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: log._writer.idle)
    monkeypatch.setattr(store, "write_rows_at_once", at_once(store))
    monkeypatch.setattr(log_module, "SLOW_WRITE_SECONDS", -1.0)
    monkeypatch.setattr(log_module, "OFF_LOOP_SECONDS", 3_600.0)
    await log.write([record()])
    assert store.groups == []
    await log.write([record()])
    assert store.groups == [1]


async def test_what_waits_on_disk_is_not_overtaken_by_the_loop(
    log: PredictionLog, store: FakeStore, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.away = True
    early, late = record(), record()
    await log.write([early])
    await until(lambda: log._writer.idle)
    monkeypatch.setattr(store, "write_rows_at_once", at_once(store))
    await log.write([late])
    assert store.rows == []
    store.away = False
    await until(lambda: spool.empty)
    assert store.rows == [early, late]


def test_the_service_drains_as_long_as_the_settings_say(tmp_path: Path) -> None:
    state = create_app(make_settings(tmp_path, spool_drain_seconds=7.0)).state
    assert state.log._drain_seconds == 7.0
