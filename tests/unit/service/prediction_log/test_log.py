from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from churn.clock import now
from churn.contract import load_contract
from churn.errors import RowsRefused, StoreError
from churn.ids import new_id
from churn.store.records import Prediction, PredictionRow
from service.app import create_app
from service.observability.metrics import ServiceMetrics
from service.prediction_log import group_commit, replayer, sink
from service.prediction_log import log as log_module
from service.prediction_log.lazy_store import LazyStore
from service.prediction_log.log import PredictionLog
from service.prediction_log.spool import Spool
from tests.unit.service.fakes import FakeStore, make_settings

pytestmark = pytest.mark.anyio


def record(customer_id: str | None = None) -> PredictionRow:
    return Prediction(new_id(), customer_id, now(), "1", 0.25, 0.5, False, {"total_day_minutes": 1.0}).row()


@pytest.fixture
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 2**20)


@pytest.fixture
async def log(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PredictionLog]:
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, spool, metrics)
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
    assert store.rows[1:] == records


async def test_a_group_is_bounded(log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "GROUP_ROWS", 5)
    first = await first_group_in_writing(log, store)
    waiting = [asyncio.create_task(log.write([record() for _ in range(size)])) for size in (2, 3, 1, 4)]
    await settle()
    store.gate.set()
    await asyncio.gather(first, *waiting)
    assert store.groups == [1, 5, 5]


async def test_a_batch_lets_single_requests_pass_and_is_answered_when_all_of_it_is_kept(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PIECE_ROWS", 10)
    first = await first_group_in_writing(log, store)
    batch = [record() for _ in range(25)]
    waiting = asyncio.create_task(log.write(batch))
    await settle()
    single = asyncio.create_task(log.write([record("single")]))
    await settle()
    store.gate.set()
    await asyncio.gather(first, single)
    await waiting
    assert [row.customer_id for row in store.rows].index("single") == 1
    assert store.groups == [1, 11, 10, 5]
    assert [row for row in store.rows[1:] if row.customer_id is None] == batch


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def sample(metrics: ServiceMetrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)


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


async def test_what_comes_while_the_spool_is_fed_waits_behind_it(log: PredictionLog, store: FakeStore, spool: Spool) -> None:
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
    assert len(store.rows) == 2
    log.start()


async def test_what_came_in_the_last_moment_is_kept_when_it_closes(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool
) -> None:
    for _ in range(20):
        log = PredictionLog(store, spool, metrics)
        log.start()
        kept = log.submit([record()])
        await log.close()
        assert kept.done()
    assert len(store.rows) == 20


async def test_a_log_that_closes_feeds_the_store_once_more_as_long_as_it_is_told(
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
    await asyncio.wait_for(log.close(), 10)
    assert Spool(spool._folder, 2**20).adopt() == 1


async def test_lag_is_the_age_of_the_oldest_record_that_waits(
    log: PredictionLog, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.lag_seconds() == 0
    first = await first_group_in_writing(log, store)
    second = asyncio.create_task(log.write([record()]))
    await settle()
    start = log_module.time.monotonic()
    monkeypatch.setattr(log_module.time, "monotonic", lambda: start + 30)
    assert 30 <= log.lag_seconds() < 45
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
        held.wait(10)

    monkeypatch.setattr(store, "ping", hang)
    assert await asyncio.gather(*(log.check() for _ in range(3))) == ["spool"] * 3
    assert await log.check() == "spool"
    held.set()
    assert len(pings) == 1


@pytest.fixture
async def hasty(
    store: FakeStore, metrics: ServiceMetrics, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[PredictionLog]:
    """A log that gives up on a store at once."""
    monkeypatch.setattr(replayer, "REPLAY_SECONDS", 0.002)
    log = PredictionLog(store, spool, metrics, hang_seconds=0.004)
    log.start()
    yield log
    store.gate.set()
    await log.close()


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


class PickyStore(FakeStore):
    """Never takes the rows of one customer."""

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        if not self.away and any(row.customer_id == "refused" for row in rows):
            self.writing.set()
            assert self.gate.wait(10)
            raise RowsRefused("a rule is broken")
        super().write_rows(rows)


async def test_rows_that_the_store_refuses_fail_their_own_request_only(metrics: ServiceMetrics, spool: Spool) -> None:
    store = PickyStore()
    log = PredictionLog(store, spool, metrics)
    log.start()
    first = await first_group_in_writing(log, store)
    good = [record() for _ in range(3)]
    waiting = [asyncio.create_task(log.write([one])) for one in (good[0], record("refused"), *good[1:])]
    await settle()
    store.gate.set()
    ended = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [type(None), type(None), RowsRefused, type(None), type(None)]
    assert store.rows[1:] == good
    assert spool.empty
    assert await log.check() == "store"
    assert sample(metrics, "churn_log_written_total") == 4
    await log.close()


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
    await log.close()


async def test_a_bug_in_the_store_fails_its_requests_and_the_log_goes_on(log: PredictionLog, store: FakeStore) -> None:
    store.away, store.error = True, KeyError("a bug")
    with pytest.raises(KeyError):
        await log.write([record()])
    store.away = False
    await log.write([record()])
    assert len(store.rows) == 1


async def test_late_store_opens_when_it_can_and_once(store: FakeStore) -> None:
    tries: list[str] = []

    def open_store(url: str) -> FakeStore:
        tries.append(url)
        if len(tries) < 3:
            raise StoreError("away")
        return store

    late = LazyStore("sqlite:///x", open_store)
    for method in (late.ping, lambda: late.write_rows([record()])):
        with pytest.raises(StoreError):
            method()
    late.write_rows([record()])
    late.write_outcomes([])
    late.ping()
    assert (len(tries), len(store.rows)) == (3, 1)
    late.close()
    assert store.closed


async def test_late_store_that_never_opened_closes() -> None:
    LazyStore("sqlite:////nowhere/at/all/x.db").close()


def at_once(store: FakeStore) -> Callable[[list[PredictionRow]], bool]:
    def write(rows: list[PredictionRow]) -> bool:
        store.rows += rows
        return True

    return write


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
