"""Engines for SQLite and PostgreSQL. (No server is needed: an engine connects on first use.)"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from churn.errors import InputError, StoreAway, StoreError
from churn.store.database import engine as module
from churn.store.database.engine import (
    _postgres_limits,
    describe_error,
    lock_for_writing,
    make_engine,
    ping,
    store_error,
    translated,
)


@pytest.fixture
def made(url: str) -> Any:
    engine = make_engine(url)
    yield engine
    engine.dispose()


def pragma(engine: sa.Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_a_sqlite_file_is_opened_for_readers_beside_a_writer_and_waits_for_others(made: sa.Engine) -> None:
    known = {name: pragma(made, name) for name in ("journal_mode", "busy_timeout", "synchronous", "foreign_keys")}
    assert known == {"journal_mode": "wal", "busy_timeout": 15_000, "synchronous": 1, "foreign_keys": 1}


def test_the_folder_of_a_file_is_made_and_one_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    make_engine(f"sqlite:///{tmp_path}/a/b/store.db")
    make_engine(f"sqlite:///{tmp_path}/a/b/store.db")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == []
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="no folder for the store"):
        make_engine(f"sqlite:///{tmp_path}/file/store.db")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_needs_no_folder(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with make_engine(url).connect() as connection:
        assert connection.execute(sa.select(1)).scalar_one() == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mysql://db/churn", "SQLite or PostgreSQL is needed, not 'mysql'"),
        ("store.db", "Could not parse"),
        ("postgresql+nosuchdriver://db/churn", "CHURN_STORE_URL"),
    ],
)
def test_any_other_url_is_an_error_that_names_the_setting(url: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        make_engine(url)
    assert str(caught.value).startswith("CHURN_STORE_URL: ")


def test_postgresql_is_asked_by_psycopg_3_unless_another_driver_is_named() -> None:
    assert make_engine("postgresql://db/churn").url.drivername == "postgresql+psycopg"
    assert make_engine("postgresql+psycopg://db/churn").dialect.driver == "psycopg"


@pytest.mark.parametrize(
    ("seconds", "connect", "milliseconds", "idle"),
    [
        (None, 10, 900_000, 60),
        (5.0, 5, 5_000, 5),
        (0.0001, 2, 1, 1),
        (1.9, 2, 1_900, 2),
        (30.0, 10, 30_000, 30),
        (100.0, 10, 100_000, 60),
    ],
)
def test_no_connection_to_a_server_waits_for_ever(seconds: float | None, connect: int, milliseconds: int, idle: int) -> None:
    assert _postgres_limits(seconds) == {
        "connect_timeout": connect,
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={milliseconds}",
        "tcp_user_timeout": milliseconds,
        "keepalives_idle": idle,
    }


def test_json_is_kept_as_it_is_moments_included(made: sa.Engine) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("value", sa.JSON))
    given = {"ü": [0.1, None, True], "at": datetime(2026, 3, 1)}
    with made.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), {"value": given})
        assert connection.execute(sa.select(table.c.value)).scalar_one() == {"ü": [0.1, None, True], "at": "2026-03-01T00:00:00"}
        assert (
            connection.exec_driver_sql("SELECT value FROM t").scalar_one() == '{"ü":[0.1,null,true],"at":"2026-03-01T00:00:00"}'
        )


def test_a_ping_says_nothing_or_why_not(url: str, tmp_path: Path) -> None:
    ping(url, 1.0)
    (tmp_path / "no.db").mkdir()
    with pytest.raises(StoreAway, match="the store cannot be reached: unable to open database file"):
        ping(f"sqlite:///{tmp_path}/no.db", 1.0)


def test_who_reads_before_it_writes_keeps_other_writers_out(made: sa.Engine, url: str) -> None:
    with made.connect() as connection:
        lock_for_writing(connection)
        with (
            closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError),
        ):
            other.execute("BEGIN IMMEDIATE")


def test_a_file_that_two_processes_open_at_once_is_tried_again_and_what_is_broken_is_not() -> None:
    busy = sqlite3.OperationalError("locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_RECOVERY
    broken = sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raised: list[Exception] = [busy, busy, broken]
    asked: list[str] = []

    class Connection:
        def execute(self, statement: str) -> None:
            asked.append(statement)
            raise raised.pop(0)

    with pytest.raises(sqlite3.OperationalError, match="disk"):
        module._write_ahead(Connection())  # type: ignore[arg-type]
    assert asked == ["PRAGMA journal_mode=WAL"] * 3


def test_errors_are_one_line_without_the_statement_s_parameters(made: sa.Engine) -> None:
    with pytest.raises(StoreError) as caught, translated(), made.connect() as connection:
        connection.execute(sa.text("SELECT :name FROM nowhere"), {"name": "c-secret"})
    assert str(caught.value) == "the store failed: no such table: nowhere"
    assert describe_error(OperationalError("SELECT", {}, Exception("first\nsecond"))) == "first"
    assert describe_error(ValueError(" \n")) == "ValueError"
    assert describe_error(ValueError("wrong\nwords")) == "wrong"
    with pytest.raises(KeyError), translated():
        raise KeyError("no error of a database")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (psycopg.OperationalError("server closed the connection"), "the store cannot be reached: server closed the connection"),
        (psycopg.errors.AdminShutdown("terminating"), "the store cannot be reached: terminating"),
        (OperationalError("", {}, psycopg.errors.CrashShutdown("crash")), "the store cannot be reached: crash"),
        (OperationalError("", {}, Exception("gone"), connection_invalidated=True), "the store cannot be reached: gone"),
        (psycopg.errors.QueryCanceled("statement timeout"), "the store failed: statement timeout"),
        (psycopg.ProgrammingError("cannot adapt"), "the store failed: cannot adapt"),
        (sqlite3.OperationalError("database or disk is full"), "the store failed: database or disk is full"),
    ],
)
def test_an_error_says_whose_it_is_and_whether_it_may_be_back_in_a_moment(error: Exception, said: str) -> None:
    assert str(store_error(error)) == said
    assert isinstance(store_error(error), StoreAway) == ("reached" in said)
    assert str(store_error(error, "the registry")) == said.replace("the store", "the registry")
