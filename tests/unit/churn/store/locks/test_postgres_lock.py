"""How the lock asks PostgreSQL. (On a real one: tests/integration/test_store_locks.py.)"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from churn.errors import StoreError
from churn.store.locks.postgres_lock import KEEPALIVE, MAX_NAME_LENGTH, NAMESPACE, PostgresLock

SINCE = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class Database:
    """Who holds the lock, and what was asked. `lacks` are settings that this version does not know."""

    def __init__(self) -> None:
        self.holder: Session | None = None
        self.sessions: list[Session] = []
        self.lacks: tuple[str, ...] = ()

    def connect(self) -> Session:
        self.sessions.append(Session(self))
        return self.sessions[-1]


class Session:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.settings: dict[str, str] = {}
        self.options: dict[str, str] = {}
        self.keys: list[dict[str, int]] = []
        self.detached = self.closed = self.lost = False

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execution_options(self, **options: str) -> Session:
        self.options = options
        return self

    def detach(self) -> None:
        self.detached = True

    def close(self) -> None:
        self.closed = True
        if self.database.holder is self:
            self.database.holder = None

    def execute(self, query: Any, values: dict[str, Any] | None = None) -> Any:
        asked, database = str(query), self.database
        if self.lost or self.closed:
            raise OperationalError(asked, {}, Exception("server closed the connection"))
        if "set_config" in asked:
            assert values is not None
            if values["name"] in database.lacks:
                raise OperationalError(asked, {}, Exception("unrecognized"))
            self.settings[values["name"]] = values["value"]
        elif "pg_try_advisory_lock" in asked:
            self.keys.append(dict(values or {}))
            free = database.holder is None
            database.holder = self if free else database.holder
            return SimpleNamespace(scalar_one=lambda: free)
        elif "pg_advisory_unlock" in asked:
            self.keys.append(dict(values or {}))
            database.holder = None
        elif "pg_locks" in asked:
            self.keys.append(dict(values or {}))
            holder = database.holder
            return SimpleNamespace(first=lambda: None if holder is None else (holder.settings["application_name"], SINCE))
        return None


@pytest.fixture
def database() -> Database:
    return Database()


def lock(database: Database, name: str = "training", holder: str = "ada") -> PostgresLock:
    return PostgresLock(cast(sa.Engine, database), name, holder)


def test_one_holds_it_and_the_next_one_has_it_when_it_is_released(database: Database) -> None:
    first, second = lock(database), lock(database, holder="eve")
    assert (first.try_acquire(), first.try_acquire()) == (True, True)
    assert len(database.sessions) == 1, "it has it already"
    assert not second.try_acquire()
    assert database.sessions[1].closed, "who waits keeps no session"
    assert first.holder() == "ada, since 2026-03-01 09:30:00 UTC"
    first.release()
    assert database.sessions[0].closed
    assert first.holder() == ""
    assert second.try_acquire()
    first.release()
    assert second.holder().startswith("eve, since")


def test_a_name_has_a_key_of_its_own_within_our_namespace(database: Database) -> None:
    held = lock(database)
    held.try_acquire()
    held.holder()
    held.release()
    expected = {"namespace": NAMESPACE, "number": zlib.crc32(b"training") & 0x7FFFFFFF}
    assert [keys for session in database.sessions for keys in session.keys] == [expected] * 3
    assert 0 <= expected["number"] < 2**31
    lock(database, "promotion").try_acquire()
    assert database.sessions[-1].keys[0]["number"] == zlib.crc32(b"promotion") & 0x7FFFFFFF != expected["number"]


def test_its_session_is_its_own_and_says_who_it_is(database: Database) -> None:
    lock(database).try_acquire()
    (session,) = database.sessions
    assert session.detached
    assert session.options == {"isolation_level": "AUTOCOMMIT"}
    assert session.settings == {**KEEPALIVE, "application_name": "churn training: ada"}
    assert not session.closed
    lock(database, "other", "a" * 100).try_acquire()
    assert database.sessions[1].settings["application_name"] == f"churn other: {'a' * 100}"[:MAX_NAME_LENGTH]


def test_a_setting_that_this_version_lacks_is_done_without(database: Database) -> None:
    database.lacks = ("idle_session_timeout", "tcp_keepalives_idle")
    assert lock(database).try_acquire()
    assert set(database.sessions[0].settings) == {"tcp_keepalives_interval", "tcp_keepalives_count", "application_name"}


def test_a_session_that_was_lost_is_noticed_and_the_lock_asked_for_anew(database: Database) -> None:
    held = lock(database)
    held.try_acquire()
    database.sessions[0].lost = True
    database.holder = None
    assert held.try_acquire()
    assert len(database.sessions) == 2
    database.sessions[1].lost = True
    database.holder = Session(database)
    assert not held.try_acquire(), "somebody else has it now"


def test_to_release_a_lost_session_is_no_error(database: Database) -> None:
    held = lock(database)
    held.try_acquire()
    database.sessions[0].lost = True
    held.release()
    assert database.sessions[0].closed


def test_a_database_that_is_away_is_a_store_error(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Session:
        raise OperationalError("connect", {}, Exception("refused"))

    monkeypatch.setattr(database, "connect", away)
    for ask in (lock(database).try_acquire, lock(database).holder):
        with pytest.raises(StoreError):
            ask()
