from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.observability.metrics import ServiceMetrics
from service.prediction_log import replayer
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool
from tests.unit.service.fakes import FakeStore
from tests.unit.service.prediction_log.helpers import PickyStore, record, sample, until

pytestmark = pytest.mark.anyio


async def test_while_the_store_is_away_answers_go_on_and_it_gets_them_later_once_and_in_order(
    log: PredictionLog, store: FakeStore, metrics: ServiceMetrics, spool: Spool
) -> None:
    store.away = True
    records = [record() for _ in range(6)]
    for one in records:
        await log.write([one])
    assert store.rows == []
    assert await log.check() == "spool"
    assert sample(metrics, "churn_log_spooled") == 6
    assert sample(metrics, "churn_log_written_total") == 0
    assert log.lag_seconds() > 0
    store.away = False
    await until(lambda: spool.empty)
    await log.write([record()])
    assert store.rows[:6] == records
    assert len(store.rows) == 7
    await until(lambda: sample(metrics, "churn_log_spooled") == 0)
    assert sample(metrics, "churn_log_written_total") == 7
    assert sample(metrics, "churn_log_replayed_total") == 6
    assert await log.check() == "store"


async def test_rows_that_arrive_during_a_replay_wait_behind_it(log: PredictionLog, store: FakeStore, spool: Spool) -> None:
    store.away = True
    early = [record() for _ in range(3)]
    await log.write(early)
    store.gate.clear()
    store.writing.clear()
    store.away = False
    await asyncio.to_thread(store.writing.wait, 10)  # the feeder hangs in the store
    late = record()
    await log.write([late])
    assert store.rows == []
    store.gate.set()
    await until(lambda: spool.empty)
    assert store.rows == [*early, late]


async def test_what_a_stopped_service_left_in_the_spool_is_older_than_what_the_next_one_writes(
    store: FakeStore, metrics: ServiceMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    left, fresh = record(), record()
    store.away = True
    first = PredictionLog(store, Spool(tmp_path / "spool", 2**20), metrics)
    first.start()
    await first.write([left])
    await first.close()
    spool = Spool(tmp_path / "spool", 2**20)
    second = PredictionLog(store, spool, metrics)
    second.start()
    await second.write([fresh])
    assert store.rows == []
    store.away = False
    await until(lambda: spool.empty)
    assert store.rows == [left, fresh]
    await second.close()


async def test_a_log_that_closes_replays_the_spool_for_as_long_as_it_may(
    store: FakeStore, metrics: ServiceMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that nobody feeds the store before.
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 3600)
    for drain_seconds, left in ((0.0, 1), (30.0, 0)):
        spool = Spool(tmp_path / str(drain_seconds), 2**20)
        log = PredictionLog(store, spool, metrics, drain_seconds=drain_seconds)
        log.start()
        store.away = True
        row = record()
        await log.write([row])
        store.away = False
        await log.close()
        assert len(list((tmp_path / str(drain_seconds)).iterdir())) == left
        assert (row in store.rows) == (left == 0)


async def test_a_log_does_not_wait_for_ever_for_a_store_that_is_away(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, spool, metrics, drain_seconds=0.02)
    log.start()
    store.away = True
    await log.write([record()])
    await asyncio.wait_for(log.close(), 60)
    assert Spool(spool._folder, 2**20).adopt() == 1


async def test_rows_that_the_store_refuses_do_not_keep_the_others_in_the_spool(
    metrics: ServiceMetrics, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    store = PickyStore()
    store.away = True
    log = PredictionLog(store, spool, metrics)
    log.start()
    good = [record() for _ in range(5)]
    await log.write([*good[:2], record("refused"), *good[2:]])
    store.away = False
    await until(lambda: spool.empty)
    assert store.rows == good
    assert b"refused" in (tmp_path / "spool" / "refused.bad").read_bytes()
    assert metrics.registry.get_sample_value("churn_log_refused_total") == 1
    await log.close()


async def test_a_replayer_that_is_stopped_has_ended_and_may_start_again() -> None:
    adopted: list[int] = []
    sink: Any = SimpleNamespace(adopt=lambda: adopted.append(1), destination="store")
    writer: Any = SimpleNamespace(current=None)
    one = replayer.SpoolReplayer(sink, writer, 1.0)
    for _ in range(2):
        one.start()
        assert one.stop(), "who closes the log waits for it no longer, and drains by itself"
    assert adopted == [1, 1]
