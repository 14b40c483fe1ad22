"""How the write-ahead log of a SQLite file is moved into the database, in nobody's commit, and stays small."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from churn.store.predictions import wal_checkpoints
from churn.store.predictions.wal_checkpoints import checkpoint
from churn.store.store import Store
from tests.unit.churn.store.predictions.test_prediction_writer import rows


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
