"""One at a time: who trains, or moves the champion, has its turn, on whichever host; the others are told who has it.

A turn belongs to a process and ends with it, however that ends: in PostgreSQL it is an advisory lock of a session, beside a
SQLite file a lock on another file. Nothing expires while its holder works, and nothing is left behind by one that was killed.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from churn.errors import Busy, StoreError
from churn.file_lock import try_lock
from churn.store.engine import translated

# Beside the number of a turn, in PostgreSQL; any number will do, as long as nothing else in the database uses it.
NAMESPACE = 4_287_002
POLL_SECONDS = 0.5
MAX_TRIES = 20
# A host that is gone without a word is found out in a minute: until then its turn stands.
KEEPALIVE = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",
}
# What PostgreSQL shows of a session's name.
NAME_WIDTH = 63


class Lock(Protocol):
    """How a kind of database does it."""

    def try_to_take(self) -> bool:
        """Take it if it is free; tell whether it is ours now. Asked again by who has it, it is ours still."""

    def holder(self) -> str:
        """Say who has it; empty if nobody has."""

    def give_back(self) -> None:
        """Give it back. Never fails: it goes with the process anyway."""


class HeldLock:
    """A turn that somebody has."""

    def __init__(self, what: str, lock: Lock) -> None:
        self._what = what
        self._lock = lock

    def confirm(self) -> None:
        """Make sure before a step that must not be made twice: the database may have been restarted, and have forgotten it.

        Raises
        ------
        Busy
            If somebody else has it by now.
        StoreError
            If the store is away.
        """
        if not self._lock.try_to_take():
            raise Busy(self._what, self._lock.holder())


@contextmanager
def take_lock(
    engine: sa.Engine,
    what: str,
    holder: str,
    *,
    timeout_seconds: float = 0.0,
    on_wait: Callable[[str], None] = lambda _holder: None,
) -> Iterator[HeldLock]:
    """Have a turn for a `with` block.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store. With PostgreSQL behind a pooler, sessions must be pooled, not transactions.
    what : str
        What is to be done by one at a time, such as "training".
    holder : str
        Who does it, for those who come meanwhile; PostgreSQL keeps some 50 characters of it.
    timeout_seconds : float
        How long to wait for one's turn, in seconds.
    on_wait : callable
        Told once, if there is somebody to wait for.

    Raises
    ------
    Busy
        If another has it all that time; says who.
    StoreError
        If the store is away.
    """
    # Whoever only asks who has it holds a file's lock for a moment: a turn that nobody has is tried for a moment, too.
    lock, deadline, told, nobody = _lock(engine, what, holder), time.monotonic() + timeout_seconds, False, 0
    try:
        while not lock.try_to_take():
            left, other = deadline - time.monotonic(), lock.holder()
            nobody = nobody + 1 if not other else 0
            if left <= 0 and (other or nobody > MAX_TRIES):
                raise Busy(what, other)
            if other and not told:
                told = True
                on_wait(other)
            time.sleep(min(POLL_SECONDS, max(left, POLL_SECONDS / 50)))
        yield HeldLock(what, lock)
    finally:
        lock.give_back()


def lock_holder(engine: sa.Engine, what: str) -> str:
    """Say who has a turn now; empty if nobody has."""
    lock = _lock(engine, what, "")
    try:
        return lock.holder()
    finally:
        lock.give_back()


def _lock(engine: sa.Engine, what: str, holder: str) -> Lock:
    if engine.dialect.name == "postgresql":
        return _SessionLock(engine, what, holder)
    database = engine.url.database
    # A database in memory is of one process: nobody else can come.
    return _FileLock(Path(f"{database}.{what}.lock"), holder) if database not in (None, "", ":memory:") else _NoLock()


class _SessionLock:
    def __init__(self, engine: sa.Engine, what: str, holder: str) -> None:
        self._engine = engine
        self._keys = {"namespace": NAMESPACE, "number": zlib.crc32(what.encode()) & 0x7FFFFFFF}
        self._prefix = f"churn {what}: "
        self._name = f"{self._prefix}{holder}"[:NAME_WIDTH]
        self._session: sa.Connection | None = None

    def try_to_take(self) -> bool:
        with _store_error():
            if self._session is not None:
                try:
                    self._session.execute(sa.select(1))
                except SQLAlchemyError:
                    self.give_back()
                else:
                    return True
            session = self._open()
            taken = sa.text("SELECT pg_try_advisory_lock(:namespace, :number)")
            if not session.execute(taken, self._keys).scalar_one():
                session.close()
                return False
            self._session = session
            return True

    def holder(self) -> str:
        query = sa.text(
            "SELECT a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :namespace AND l.objid = :number "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with _store_error(), self._engine.connect() as connection:
            found = connection.execute(query, self._keys).first()
        return "" if found is None else _told(str(found[0]).removeprefix(self._prefix), found[1])

    def give_back(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(SQLAlchemyError):
                session.close()

    def _open(self) -> sa.Connection:
        """Open a session of its own. Closed, it is gone, and the lock with it: the pool does not get it back."""
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()
        for name, value in {**KEEPALIVE, "application_name": self._name}.items():
            # Not every version has every setting, and over a local socket there is nothing to keep alive.
            with suppress(SQLAlchemyError):
                session.execute(sa.text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value})
        return session


class _FileLock:
    def __init__(self, path: Path, holder: str) -> None:
        self._path = path
        self._holder = holder
        self._file: IO[bytes] | None = None

    def try_to_take(self) -> bool:
        if self._file is not None:
            return True
        with _store_error():
            file = self._path.open("a+b")
            if not try_lock(file):
                file.close()
                return False
            self._file = file
            file.truncate(0)
            file.write(orjson.dumps({"holder": self._holder, "since": datetime.now(UTC)}))
            file.flush()
        return True

    def holder(self) -> str:
        # Whoever reads takes the lock for a moment, if nobody has it: what a killed holder wrote is still in the file.
        with _store_error(), suppress(FileNotFoundError), self._path.open("rb") as file:
            if not try_lock(file, shared=True):
                try:
                    said = orjson.loads(file.read())
                    return _told(said["holder"], datetime.fromisoformat(said["since"]))
                except (ValueError, LookupError, TypeError):
                    return "another process"
        return ""

    def give_back(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


class _NoLock:
    def try_to_take(self) -> bool:
        return True

    def holder(self) -> str:
        return ""

    def give_back(self) -> None:
        pass


def _told(holder: str, since: datetime) -> str:
    return f"{holder}, since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def _store_error() -> Iterator[None]:
    try:
        with translated():
            yield
    except OSError as error:
        raise StoreError(f"no lock beside the store: {error}") from error
