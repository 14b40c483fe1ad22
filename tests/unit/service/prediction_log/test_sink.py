from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from churn.contract import load_contract
from churn.errors import RowsRefused, StoreError
from service.observability.metrics import ServiceMetrics
from service.prediction_log import sink as module
from service.prediction_log.sink import Sink
from service.prediction_log.spool import Spool
from tests.unit.service.fakes import FakeStore
from tests.unit.service.prediction_log.helpers import PickyStore, at_once, record, sample

pytestmark = pytest.mark.anyio


class Writing:
    """A sink with a store that a test takes away."""

    def __init__(self, folder: Path, store: FakeStore | None = None, max_bytes: int = 2**20) -> None:
        self.store, self.spool = store or FakeStore(), Spool(folder / "spool", max_bytes)
        self.metrics = ServiceMetrics(load_contract())
        self.sink = Sink(self.store, self.spool, self.metrics)


@pytest.fixture
def writing(tmp_path: Path) -> Writing:
    return Writing(tmp_path)


def never() -> bool:
    return False


def test_rows_go_to_the_store_and_to_the_spool_while_it_is_away(writing: Writing, caplog: pytest.LogCaptureFixture) -> None:
    first, second = [record()], [record(), record()]
    assert (writing.sink.write(first), writing.sink.destination) == ("store", "store")
    writing.store.away = True
    assert (writing.sink.write(second), writing.sink.destination) == ("spool", "spool")
    assert writing.store.rows == first
    assert sample(writing.metrics, "churn_log_spooled") == 2
    assert "the store is away; predictions go to the spool: StoreError" in caplog.text
    assert "secret" not in caplog.text
    writing.store.away = False
    writing.sink.replay(never)
    assert writing.store.rows == first + second
    assert writing.sink.destination == "store"
    assert sample(writing.metrics, "churn_log_spooled") == 0
    assert sample(writing.metrics, "churn_log_written_total") == 2
    assert "it has 2 predictions from the spool" in caplog.text
    assert writing.sink.lag_seconds() == 0


def test_rows_that_the_store_never_takes_are_not_spooled(tmp_path: Path) -> None:
    writing = Writing(tmp_path, PickyStore())
    with pytest.raises(RowsRefused):
        writing.sink.write([record("refused")])
    assert writing.spool.empty


def test_with_neither_store_nor_spool_nothing_is_written(tmp_path: Path) -> None:
    writing = Writing(tmp_path, max_bytes=0)
    writing.store.away = True
    with pytest.raises(StoreError):
        writing.sink.write([record()])


def test_a_few_rows_are_written_at_once_only_in_front_of_an_empty_spool(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not writing.sink.write_at_once([record()])
    monkeypatch.setattr(writing.store, "write_rows_at_once", at_once(writing.store))
    assert writing.sink.write_at_once([record()])
    assert not writing.sink.spool_behind([record()])
    writing.sink.spool([record()])
    assert not writing.sink.write_at_once([record()])
    assert writing.sink.spool_behind([record()])
    assert (len(writing.store.rows), writing.spool.rows) == (1, 2)
    assert sample(writing.metrics, "churn_log_spooled") == 2


def test_one_row_that_is_refused_does_not_hold_up_the_others(tmp_path: Path) -> None:
    writing = Writing(tmp_path, PickyStore())
    given = [record(), record("refused"), record(), record(), record()]
    writing.sink.spool(given)
    writing.sink.replay(never)
    assert writing.store.rows == [row for row in given if row.customer_id != "refused"]
    assert writing.spool.empty
    assert sample(writing.metrics, "churn_log_written_total") == 4
    assert b"refused" in (tmp_path / "spool" / "refused.bad").read_bytes()


def test_a_stop_leaves_the_rest_for_the_next_start(writing: Writing) -> None:
    writing.sink.spool([record()])
    writing.sink.replay(lambda: True)
    assert (writing.store.rows, writing.spool.rows) == ([], 1)
    assert sample(writing.metrics, "churn_log_spooled") == 1


def test_a_spool_that_cannot_be_read_is_logged(
    writing: Writing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(writing.spool, "replay", broken)
    monkeypatch.setattr(writing.spool, "adopt", broken)
    with caplog.at_level(logging.ERROR):
        writing.sink.replay(never)
        writing.sink.adopt()
    assert caplog.text.count("the spool cannot be read: Input/output error") == 2


def test_what_a_dead_worker_left_is_adopted(writing: Writing, tmp_path: Path) -> None:
    other = Writing(tmp_path)
    other.sink.spool([record(), record()])
    other.sink.close()
    writing.sink.adopt()
    assert sample(writing.metrics, "churn_log_spooled") == 2
    assert writing.sink.lag_seconds() > 0
    writing.sink.replay(never)
    assert len(writing.store.rows) == 2


async def test_a_check_says_where_rows_could_be_written(writing: Writing) -> None:
    assert await writing.sink.check() == "store"
    writing.store.away = True
    (writing.spool._folder).mkdir(parents=True, exist_ok=True)
    assert await writing.sink.check() == "spool"
    writing.store.away = False
    writing.sink.spool([record()])
    assert await writing.sink.check() == "spool"


async def test_a_check_of_neither_is_an_error(tmp_path: Path) -> None:
    writing = Writing(tmp_path, max_bytes=0)
    writing.store.away = True
    with pytest.raises(StoreError):
        await writing.sink.check()


async def test_a_store_that_hangs_holds_up_one_thread_however_many_ask(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    asked, gate = list[int](), threading.Event()

    def hang() -> None:
        asked.append(1)
        assert gate.wait(10)

    monkeypatch.setattr(writing.store, "ping", hang)
    monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    (writing.spool._folder).mkdir(parents=True, exist_ok=True)
    assert await asyncio.gather(*(writing.sink.check() for _ in range(3))) == ["spool"] * 3
    assert asked == [1]
    gate.set()
