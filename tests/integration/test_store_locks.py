"""Locks between processes: on a file beside SQLite, and on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from churn.errors import Busy, StoreError
from churn.store.locks.postgres_lock import PostgresLock
from churn.store.store import Store
from tests.integration.postgres import Server

DATABASES = ["sqlite", "postgresql"]
HOLDER = """
import sys
from churn.store.store import Store
with Store.open(sys.argv[1]).lock("training", "ada@desk (process 7), manual"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(url: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], stdin=pipe, stdout=pipe, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_is_told_who_holds_the_lock_until_that_process_ends(store: Store, url: str) -> None:
    assert store.lock_holder("training") == ""
    with another_process(url) as process:
        with (
            pytest.raises(Busy, match=r"training is under way: ada@desk \(process 7\), manual, since 20"),
            store.lock("training", "bob"),
        ):
            pass
        assert store.lock_holder("training").startswith("ada@desk (process 7), manual, since ")
        with store.lock("promotion", "bob") as other:
            other.confirm()  # a lock of another name
        process.kill()
        process.wait()
        waited: list[str] = []
        with store.lock("training", "bob", timeout_seconds=20, on_wait=waited.append) as lock:
            lock.confirm()
            assert store.lock_holder("training").startswith("bob")
    assert store.lock_holder("training") == ""


def test_whoever_waits_is_told_for_whom_and_gets_the_lock(store: Store, url: str) -> None:
    with another_process(url) as process:
        assert process.stdin is not None
        # The other goes when it is told that somebody waits for it.
        waited: list[str] = []

        def go(holder: str) -> None:
            waited.append(holder)
            process.stdin.close()  # type: ignore[union-attr]

        with store.lock("training", "bob", timeout_seconds=60, on_wait=go):
            assert len(waited) == 1
            assert waited[0].startswith("ada@desk")


def test_two_threads_of_a_process_exclude_each_other(store: Store) -> None:
    refused: list[str] = []

    def come() -> None:
        try:
            with store.lock("training", "second"):
                raise AssertionError("both have it")
        except Busy as busy:
            refused.append(busy.holder)

    with store.lock("training", "first"):
        thread = threading.Thread(target=come)
        thread.start()
        thread.join()
    assert refused[0].startswith("first")


def test_a_lock_that_a_restart_released_is_taken_again_or_lost_to_another(postgres: Server) -> None:
    with (
        postgres.database() as url,
        closing(Store.open(url)) as one,
        closing(Store.open(url)) as other,
        one.lock("training", "ada") as lock,
    ):
        _cut(other, "ada")
        lock.confirm()
        assert other.lock_holder("training").startswith("ada")
        _cut(other, "ada")
        with other.lock("training", "bob"), pytest.raises(Busy, match="bob"):
            lock.confirm()
        lock.confirm()


def test_a_lock_that_was_released_is_free_before_the_server_has_ended_its_session(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[sa.Connection] = []

    def close_later(connection: sa.Connection) -> None:
        late.append(connection)

    with postgres.database() as url, closing(Store.open(url)) as store:
        lock = PostgresLock(store.engine, "training", "ada")
        assert lock.try_acquire()
        with monkeypatch.context() as patch:
            patch.setattr(sa.Connection, "close", close_later)
            lock.release()
        assert store.lock_holder("training") == ""
        late[0].close()


def _cut(store: Store, name: str) -> None:
    """End the session that holds the lock, as a restart would."""
    ended = sa.text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE :name")
    with store.engine.connect() as connection:
        assert connection.execute(ended, {"name": f"churn training: {name}%"}).scalars().all() == [True]


def test_a_folder_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'no' / 'store.db'}")
    with pytest.raises(StoreError, match="no lock beside the store"), Store(engine).lock("training", "ada"):
        pass


def test_a_database_in_memory_needs_no_lock() -> None:
    store = Store(sa.create_engine("sqlite://"))
    with store.lock("training", "ada") as lock:
        lock.confirm()
        assert store.lock_holder("training") == ""
