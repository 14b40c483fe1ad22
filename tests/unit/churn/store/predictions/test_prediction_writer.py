"""How predictions are written in bulk: all or none, each once, and with a write-ahead log that stays small."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from churn.contract import load_contract
from churn.errors import RowsRefused, StoreError
from churn.ids import new_ids
from churn.store.predictions import sqlite_writer, wal_checkpoints
from churn.store.predictions.sqlite_writer import STATEMENT_ROWS
from churn.store.predictions.wal_checkpoints import checkpoint
from churn.store.records import PredictionRow
from churn.store.store import Store

CONTRACT = load_contract()


def rows(count: int, **changes: object) -> list[PredictionRow]:
    asked = "2026-01-02 03:04:05.000006"
    row = PredictionRow("", "c1", asked, "1", 0.1 + 0.2, 0.5, False, '{"state": "OH", "total_day_minutes": 0.1}')
    return [row._replace(prediction_id=one, **changes) for one in new_ids(count)]


def ids(store: Store) -> list[str]:
    found: list[str] = store.read_predictions(CONTRACT)["prediction_id"].tolist()
    return found


@pytest.mark.parametrize("count", [1, 2, 64, 65, 5_000])
def test_rows_are_read_back_as_they_were_written_in_their_order(store: Store, count: int) -> None:
    given = rows(count)
    store.write_rows(given)
    stored = store.read_predictions(CONTRACT)
    assert stored["prediction_id"].tolist() == [row.prediction_id for row in given]
    last = stored.iloc[-1]
    assert (last["churn_probability"], last["total_day_minutes"]) == (0.1 + 0.2, 0.1)
    assert last["requested_at"].isoformat() == "2026-01-02T03:04:05.000006+00:00"


def test_a_row_that_is_there_stays_as_it_is_and_the_others_are_added(store: Store) -> None:
    known, fresh = rows(2), rows(1)
    store.write_rows(known)
    store.write_rows([known[1]._replace(model_version="2"), *fresh, known[0]])
    assert ids(store) == [row.prediction_id for row in [*known, *fresh]]
    assert store.count_predictions(model_version="2") == 0


@pytest.mark.parametrize("place", [0, 1, 150])
def test_one_row_that_is_refused_keeps_all_from_being_stored(store: Store, place: int) -> None:
    given = rows(200)
    given[place] = given[place]._replace(model_version=None)  # type: ignore[arg-type]
    with pytest.raises(RowsRefused) as error:
        store.write_rows(given)
    assert "c1" not in str(error.value), "values do not belong into messages"
    assert ids(store) == []
    store.write_rows(rows(1))
    assert len(ids(store)) == 1


def test_a_file_that_was_moved_is_not_written_any_more(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    store = Store.open(f"sqlite:///{here / 'store.db'}")
    first, lost, last = rows(1), rows(1), rows(1)
    store.write_rows(first)
    here.rename(there)
    with pytest.raises(StoreError):
        store.write_rows(lost)
    here.mkdir()
    with pytest.raises(StoreError):
        store.write_rows(lost)
    assert list(here.iterdir()) == [], "a new file, without tables, was made"
    here.rmdir()
    there.rename(here)
    store.write_rows(last)
    assert ids(store) == [first[0].prediction_id, last[0].prediction_id]
    store.close()


def test_a_file_that_was_replaced_is_the_store_from_then_on(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path / 'other.db'}").close()
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    store.write_rows(rows(1))
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"store.db{end}").rename(tmp_path / f"old.db{end}")
    (tmp_path / "other.db").rename(tmp_path / "store.db")
    given = rows(1)
    store.write_rows(given)
    store.close()
    again = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    assert ids(again) == [given[0].prediction_id]
    again.close()


def test_a_writer_waits_for_others_as_long_as_it_may(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", timeout_seconds=0.05)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.write_rows(rows(1))
        other.execute("ROLLBACK")
    store.write_rows(rows(1))
    store.close()


def test_a_large_write_ahead_log_begins_anew_unless_somebody_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}")
    store.write_rows(rows(5_000))
    wal = path.with_name("store.db-wal")
    full = wal.stat().st_size
    with (
        closing(wal_checkpoints.connect(path, 0.01)) as checkpoints,
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
    ):
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM predictions").fetchone()
        store.write_rows(rows(5_000))
        checkpoint(checkpoints, max_wal_bytes=0)
        assert reader.execute("SELECT count(*) FROM predictions").fetchone() == before, "a reader sees one moment"
        store.write_rows(rows(1))
        assert wal.stat().st_size > full
        reader.execute("COMMIT")
        grown = wal.stat().st_size
        checkpoint(checkpoints, max_wal_bytes=0)
        store.write_rows(rows(5_000))
        assert wal.stat().st_size == grown, "it was written from its beginning"
    assert store.count_predictions() == 15_001
    store.close()


def test_checkpoints_go_on_beside_the_writer_and_end_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal_checkpoints, "CHECKPOINT_SECONDS", 0.002)
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}")
    given = rows(100)
    store.write_rows(given)
    deadline = time.monotonic() + 120
    while given[-1].prediction_id.encode() not in path.read_bytes():  # without its write-ahead log
        assert time.monotonic() < deadline, "nothing was moved into the database"
        time.sleep(0.002)
    store.close()
    for thread in threading.enumerate():
        if thread.name == "checkpoints":
            thread.join(120)
            assert not thread.is_alive()


def test_checkpoints_go_on_when_the_clock_is_set_back_and_rest_when_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_checkpoints, "CHECKPOINT_SECONDS", 0.002)
    made, looks = threading.Semaphore(0), threading.Semaphore(0)
    checkpoint, exists = wal_checkpoints.checkpoint, Path.exists

    def counted(*given: Any) -> bool:
        made.release()
        return checkpoint(*given)

    def looked(path: Path, **named: Any) -> bool:
        if path.name.endswith("-wal"):
            looks.release()
        return exists(path, **named)

    monkeypatch.setattr(wal_checkpoints, "checkpoint", counted)
    monkeypatch.setattr(Path, "exists", looked)
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}")
    store.write_rows(rows(1))
    assert made.acquire(timeout=120)
    for _ in range(20):
        for _ in range(3):
            assert looks.acquire(timeout=120)
        if not made.acquire(blocking=False):
            break
    else:
        pytest.fail("nothing is written, and checkpoints go on")
    # As if it had been written an hour ago.
    os.utime(path.with_name("store.db-wal"), (time.time() - 3600,) * 2)
    assert made.acquire(timeout=120), "a log that is older than the last checkpoint is not looked at"
    store.close()


def test_writers_are_held_up_only_if_the_write_ahead_log_is_large(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    store.write_rows(rows(100))
    statements: list[str] = []
    with closing(wal_checkpoints.connect(tmp_path / "store.db", 0.01)) as connection:
        connection.set_trace_callback(statements.append)
        checkpoint(connection, max_wal_bytes=2**20)
        assert not any("RESTART" in statement for statement in statements)
        checkpoint(connection, max_wal_bytes=2**10)
        assert any("RESTART" in statement for statement in statements)
    store.close()


def test_the_write_ahead_log_is_cut_off_while_nobody_writes_and_in_nobodys_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_checkpoints, "MAX_WAL_BYTES", 2**16)
    monkeypatch.setattr(wal_checkpoints.Checkpoints, "start", lambda _self: None)
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}")
    store.write_rows(rows(2_000))
    wal = path.with_name("store.db-wal")
    grown = wal.stat().st_size
    assert grown > wal_checkpoints.MAX_WAL_BYTES
    rounds = wal_checkpoints.Checkpoints(path)

    def sizes(count: int) -> list[int]:
        found: list[int] = []

        def waited(_seconds: float) -> bool:
            found.append(wal.stat().st_size)
            return len(found) > count

        monkeypatch.setattr(rounds._stopped, "wait", waited)
        rounds._run()
        return found

    # Two rounds move all of it; the third finds that nobody has written since.
    assert sizes(3) == [grown, grown, grown, 0]
    store.write_rows(rows(1))
    assert 0 < wal.stat().st_size < grown
    store.write_rows(rows(2_000))
    with closing(wal_checkpoints.connect(path, 0.01)) as connection:
        checkpoint(connection, wal_checkpoints.MAX_WAL_BYTES)
    again = wal.stat().st_size
    store.write_rows(rows(1))
    assert wal.stat().st_size == again, "the log began anew, and its file stayed as it was"
    store.close()


def test_a_few_rows_are_stored_at_once_unless_somebody_else_is_writing(tmp_path: Path) -> None:
    store, given = Store.open(f"sqlite:///{tmp_path / 'store.db'}"), rows(4)
    assert not store.write_rows_at_once(given[:1]), "whether the file is there is for the other way to find out"
    store.write_rows(given[:1])
    assert store.write_rows_at_once(given[:3])
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.write_rows_at_once(given[3:])
        other.execute("ROLLBACK")
    assert not store.write_rows_at_once(rows(STATEMENT_ROWS + 1)), "that would take long"
    assert not store.write_rows_at_once([given[3]._replace(model_version=None)])  # type: ignore[arg-type]
    assert store.write_rows_at_once(given[3:])
    assert ids(store) == [row.prediction_id for row in given]
    store.close()


@pytest.mark.parametrize("seen_first", [True, False])
def test_rows_stored_at_once_follow_a_file_that_was_replaced(tmp_path: Path, seen_first: bool) -> None:
    Store.open(f"sqlite:///{tmp_path / 'other.db'}").close()
    store, given = Store.open(f"sqlite:///{tmp_path / 'store.db'}"), rows(4)
    store.write_rows(given[:1])
    assert store.write_rows_at_once(given[1:2])
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"store.db{end}").rename(tmp_path / f"old.db{end}")
    if not seen_first:
        assert not store.write_rows_at_once(given[2:3])
    (tmp_path / "other.db").rename(tmp_path / "store.db")
    if seen_first:
        store.write_rows(given[2:3])
    assert store.write_rows_at_once(given[3:])
    store.close()
    again = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    assert ids(again) == [row.prediction_id for row in given[2 if seen_first else 3 :]]
    again.close()


def test_the_next_write_goes_through_the_same_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    connect = sqlite_writer.connect
    monkeypatch.setattr(sqlite_writer, "connect", lambda path, seconds: made.append(seconds) or connect(path, seconds))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    for _ in range(3):
        store.write_rows(rows(1))
    assert len(made) == 1
    store.close()


def test_rows_that_wait_for_nobody_are_written_at_once_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[float] = []
    connect = sqlite_writer.connect
    monkeypatch.setattr(sqlite_writer, "connect", lambda path, seconds: timeouts.append(seconds) or connect(path, seconds))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    first, second, third = rows(1), rows(3), rows(1)
    assert not store.write_rows_at_once(first), "nobody has found out yet whether there is a store"
    store.write_rows(first)
    assert store.write_rows_at_once(second)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.write_rows_at_once(third)
        assert timeouts[-1] == 0.0, "its connection waits for no other writer"
        other.execute("ROLLBACK")
    assert store.write_rows_at_once(third)
    assert not store.write_rows_at_once(rows(STATEMENT_ROWS + 1))
    many = rows(STATEMENT_ROWS)
    assert store.write_rows_at_once(many)
    assert ids(store) == [row.prediction_id for row in (*first, *second, *third, *many)]
    (tmp_path / "store.db").rename(tmp_path / "moved.db")
    assert not store.write_rows_at_once(rows(1))
    store.close()
