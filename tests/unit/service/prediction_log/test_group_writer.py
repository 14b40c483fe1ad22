from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from churn.errors import RowsRefused, StoreError
from service.observability.metrics import ServiceMetrics
from service.prediction_log import replayer
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool
from tests.unit.service.fakes import FakeStore
from tests.unit.service.prediction_log.helpers import PickyStore, first_group_in_writing, let_tasks_run, record, sample, until

pytestmark = pytest.mark.anyio


async def test_a_write_that_hangs_is_spooled_and_answered_and_so_is_what_comes_after_it(
    hasty: PredictionLog, store: FakeStore, metrics: ServiceMetrics, spool: Spool
) -> None:
    store.gate.clear()
    records = [record() for _ in range(3)]
    for one in records:
        await hasty.write([one])
    assert (store.rows, spool.rows) == ([], 3)
    assert await hasty.check() == "spool"
    store.gate.set()
    await until(lambda: spool.empty)
    # The write that hung came through after all; a real store keeps a prediction once.
    assert list(dict.fromkeys(store.rows)) == records
    assert len(store.rows) <= 4
    assert sample(metrics, "churn_log_written_total") == 3
    late = record()
    await hasty.write([late])
    # (The write that hung may come through last of all.)
    await until(lambda: late in store.rows)
    await until(lambda: sum(thread.name == "prediction-log" for thread in threading.enumerate()) == 1)


async def test_a_log_closes_though_the_store_hangs(
    store: FakeStore, metrics: ServiceMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, Spool(tmp_path / "spool", 2**20), metrics, hang_seconds=0.004)
    log.start()
    store.gate.clear()
    waiting = asyncio.create_task(log.write([record()]))
    await asyncio.to_thread(store.writing.wait, 10)
    closing = asyncio.create_task(log.close())
    await asyncio.gather(waiting, closing)
    assert store.rows == []
    store.gate.set()
    left = Spool(tmp_path / "spool", 2**20)
    assert left.adopt() == 1
    left.close()


async def test_a_hanging_store_and_a_full_spool_fail_the_request(
    store: FakeStore, metrics: ServiceMetrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, Spool(tmp_path / "spool", 0), metrics, hang_seconds=0.004)
    log.start()
    store.gate.clear()
    with pytest.raises(StoreError, match="full"):
        await log.write([record()])
    store.gate.set()
    await log.close()


async def test_rows_that_the_store_refuses_fail_their_own_request_only(metrics: ServiceMetrics, spool: Spool) -> None:
    store = PickyStore()
    log = PredictionLog(store, spool, metrics)
    log.start()
    first = await first_group_in_writing(log, store)
    good = [record() for _ in range(3)]
    waiting = [asyncio.create_task(log.write([one])) for one in (good[0], record("refused"), *good[1:])]
    await let_tasks_run()
    store.gate.set()
    ended = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [type(None), type(None), RowsRefused, type(None), type(None)]
    assert store.rows[1:] == good
    assert spool.empty
    assert await log.check() == "store"
    assert sample(metrics, "churn_log_written_total") == 4
    await asyncio.wait_for(log.write([record()]), 20)
    assert sample(metrics, "churn_log_written_total") == 5
    await log.close()


async def test_a_bug_in_the_store_fails_its_requests_and_the_log_goes_on(log: PredictionLog, store: FakeStore) -> None:
    store.away, store.error = True, KeyError("a bug")
    with pytest.raises(KeyError):
        await log.write([record()])
    store.away = False
    await log.write([record()])
    assert len(store.rows) == 1
