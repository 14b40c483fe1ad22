from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from churn.contract import load_contract
from churn.errors import StoreError
from churn.records import Prediction, new_id, now
from service import prediction_log
from service.late_store import LateStore
from service.metrics import ServiceMetrics
from service.prediction_log import PredictionLog
from tests.unit.service.fakes import FakeStore

pytestmark = pytest.mark.anyio


def record() -> Prediction:
    return Prediction(new_id(), None, now(), "1", 0.25, 0.5, False, {"total_day_minutes": 1.0})


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract())


@pytest.fixture
async def log(store: FakeStore, metrics: ServiceMetrics) -> AsyncIterator[PredictionLog]:
    log = PredictionLog(store, metrics)
    log.start()
    yield log
    store.gate.set()
    await log.close()


async def first_group_in_writing(log: PredictionLog, store: FakeStore) -> asyncio.Task[None]:
    """A write that hangs in the store, so that what comes next has to wait."""
    store.gate.clear()
    first = asyncio.create_task(log.write([record()]))
    await asyncio.to_thread(store.writing.wait, 10)
    return first


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_gathers_during_a_commit_shares_the_next_one_in_order(log: PredictionLog, store: FakeStore) -> None:
    first = await first_group_in_writing(log, store)
    records = [record() for _ in range(7)]
    waiting = [asyncio.create_task(log.write([r])) for r in records]
    await settle()
    assert not first.done()
    assert not any(task.done() for task in waiting)
    store.gate.set()
    await asyncio.gather(first, *waiting)
    assert store.groups == [1, 7]
    assert store.predictions[1:] == records


async def test_group_is_bounded_and_no_request_is_split(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "GROUP_ROWS", 5)
    first = await first_group_in_writing(log, store)
    waiting = [asyncio.create_task(log.write([record() for _ in range(size)])) for size in (2, 3, 1, 9, 1)]
    await settle()
    store.gate.set()
    await asyncio.gather(first, *waiting)
    assert store.groups == [1, 5, 1, 9, 1]


async def test_failed_group_fails_its_requests_only(log: PredictionLog, store: FakeStore, metrics: ServiceMetrics) -> None:
    store.away = True
    failed = await asyncio.gather(*(log.write([record()]) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [StoreError] * 3
    store.away = False
    await log.write([record(), record()])
    assert len(store.predictions) == 2
    assert metrics.registry.get_sample_value("churn_log_written_total") == 2


async def test_request_that_went_away_does_not_disturb_the_others(log: PredictionLog, store: FakeStore) -> None:
    first = await first_group_in_writing(log, store)
    gone, stays = asyncio.create_task(log.write([record()])), asyncio.create_task(log.write([record()]))
    await settle()
    gone.cancel()
    first.cancel()
    await settle()
    store.gate.set()
    await stays
    await log.write([record()])
    assert sum(store.groups) == 4


async def test_close_writes_what_is_waiting_then_refuses(log: PredictionLog, store: FakeStore) -> None:
    first = await first_group_in_writing(log, store)
    waiting = asyncio.create_task(log.write([record()]))
    await settle()
    closing = asyncio.create_task(log.close())
    await settle()
    with pytest.raises(StoreError, match="closed"):
        await log.write([record()])
    assert not closing.done()
    store.gate.set()
    await asyncio.gather(first, waiting, closing)
    assert len(store.predictions) == 2
    log.start()


async def test_lag_is_the_age_of_the_oldest_record_that_waits(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.lag_seconds() == 0
    first = await first_group_in_writing(log, store)
    second = asyncio.create_task(log.write([record()]))
    await settle()
    start = prediction_log.time.monotonic()
    monkeypatch.setattr(prediction_log.time, "monotonic", lambda: start + 30)
    assert 30 <= log.lag_seconds() < 45
    monkeypatch.undo()
    store.gate.set()
    await asyncio.gather(first, second)
    assert log.lag_seconds() == 0


async def test_check_holds_a_failed_write_against_the_store_for_a_while_only(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.check()
    store.away = True
    with pytest.raises(StoreError):
        await log.check()
    with pytest.raises(StoreError):
        await log.write([record()])
    store.away = False
    with pytest.raises(StoreError, match="last write failed"):
        await log.check()
    monkeypatch.setattr(prediction_log, "FAILURE_COUNTS_SECONDS", 0.0)
    await log.check()
    monkeypatch.undo()
    await log.write([record()])
    await log.check()


async def test_check_does_not_wait_for_a_store_that_hangs(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "PING_SECONDS", 0.01)
    first = await first_group_in_writing(log, store)
    with pytest.raises(StoreError, match="did not answer"):
        await log.check()
    store.gate.set()
    await first


async def test_late_store_opens_when_it_can_and_once(store: FakeStore) -> None:
    tries: list[str] = []

    def open_store(url: str) -> FakeStore:
        tries.append(url)
        if len(tries) < 3:
            raise StoreError("away")
        return store

    late = LateStore("sqlite:///x", open_store)
    for method in (late.ping, lambda: late.write_predictions([record()])):
        with pytest.raises(StoreError):
            method()
    late.write_predictions([record()])
    late.write_outcomes([])
    late.ping()
    assert (len(tries), len(store.predictions)) == (3, 1)
    late.close()
    assert store.closed


async def test_late_store_that_never_opened_closes() -> None:
    LateStore("sqlite:////nowhere/at/all/x.db").close()
