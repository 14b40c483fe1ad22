"""Engines for SQLite and PostgreSQL, and the translation of their errors to StoreError."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from churn.errors import InputError, StoreAway, StoreError
from churn.store.database.sqlite_file import follow_file

# No connection waits for ever: a server that accepts and then stands still would hold up a flow until somebody looks.
CONNECT_SECONDS = 10.0
MAX_SECONDS = 900.0
# PostgreSQL stops, has crashed, or starts (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_GONE = {"57P01", "57P02", "57P03"}


def make_engine(url: str, timeout_seconds: float | None = None) -> sa.Engine:
    """Return an engine for a database; nothing is connected yet.

    Parameters
    ----------
    url : str
        Of SQLite or PostgreSQL. The folder of a SQLite file is made if it is missing.
    timeout_seconds : float, optional
        How long a statement may take in PostgreSQL, or wait for others; by default, a quarter of an hour.

    Returns
    -------
    sqlalchemy.Engine

    Raises
    ------
    InputError
        If the URL is malformed, or of another database.
    StoreError
        If the folder cannot be made.
    """
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
        if backend == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if backend not in ("sqlite", "postgresql"):
            raise InputError(f"CHURN_STORE_URL: SQLite or PostgreSQL is needed, not {backend!r}")
        limits = {} if backend == "sqlite" else _postgres_limits(timeout_seconds)
        engine = sa.create_engine(
            parsed,
            connect_args=limits,
            pool_pre_ping=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
    except (ArgumentError, ImportError) as error:
        raise InputError(f"CHURN_STORE_URL: {error}") from error
    if backend == "postgresql":
        from churn.store.database.postgres_timeouts import limit_waiting

        limit_waiting(engine, timeout_seconds or MAX_SECONDS)
    if backend == "sqlite":
        if parsed.database not in (None, "", ":memory:"):
            folder = Path(str(parsed.database)).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"no folder for the store: {error}") from error
        sa.event.listen(engine, "connect", _prepare_sqlite)
        if parsed.database not in (None, "", ":memory:") and not str(parsed.database).startswith("file:"):
            follow_file(engine, Path(str(parsed.database)))
    return engine


def ping(url: str, timeout_seconds: float) -> None:
    """Connect to a database, ask it something, and disconnect.

    Parameters
    ----------
    url : str
    timeout_seconds : float

    Raises
    ------
    StoreAway
        If it does not answer in time.
    """
    engine = make_engine(url, timeout_seconds)
    try:
        with engine.connect() as connection:
            connection.execute(sa.select(1))
    except SQLAlchemyError as error:
        raise StoreAway(f"the store cannot be reached: {describe_error(error)}") from error
    finally:
        engine.dispose()


def _postgres_limits(seconds: float | None) -> dict[str, Any]:
    """Limit how long connecting, a statement, and a peer that is gone without a word may take."""
    connect = CONNECT_SECONDS if seconds is None else min(seconds, CONNECT_SECONDS)
    seconds = MAX_SECONDS if seconds is None else seconds
    milliseconds = max(1, round(1000 * seconds))
    return {
        "connect_timeout": max(2, round(connect)),  # libpq takes whole seconds, and no fewer than two
        # A process that stops in the middle of a transaction would keep the monitor waiting.
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={milliseconds}",
        "tcp_user_timeout": milliseconds,
        "keepalives_idle": max(1, min(60, round(seconds))),
    }


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("busy_timeout=15000", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


# The busy timeout does not hold for this one statement where two processes open a new file at once.
@retry(retry=retry_if_exception(_is_busy), stop=stop_after_delay(15), wait=wait_fixed(0.02), reraise=True)
def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn on write-ahead logging: readers never wait for the writer, and what is committed survives a killed process."""
    connection.execute("PRAGMA journal_mode=WAL")


def lock_for_writing(connection: sa.Connection) -> None:
    """Begin a transaction that reads before it writes: in SQLite nobody else may write between the two."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def translated(whose: str = "the store") -> Iterator[None]:
    """Turn the database's errors into StoreError; see `store_error`."""
    try:
        yield
    except SQLAlchemyError as error:
        raise store_error(error, whose) from error


def store_error(error: Exception, whose: str = "the store") -> StoreError:
    """Return an error of SQLAlchemy or a driver as one that says whose it is: it may be all that somebody reads.

    Parameters
    ----------
    error : Exception
    whose : str
        Which database.

    Returns
    -------
    StoreError
        StoreAway if there is no connection, or it broke.
    """
    original = getattr(error, "orig", None) or error
    said = describe_error(error)
    # SQLAlchemy finds out for its own connections; of a raw one, PostgreSQL's driver says it by an error without a code.
    code = getattr(original, "sqlstate", "")
    broke = any(known.__name__ == "OperationalError" for known in type(original).__mro__) if code is None else code in _GONE
    if broke or getattr(error, "connection_invalidated", False):
        return StoreAway(f"{whose} cannot be reached: {said}")
    return StoreError(f"{whose} failed: {said}")


def describe_error(error: Exception) -> str:
    """Return an error of SQLAlchemy, Alembic or a driver in one line, without the statement's parameters: they are personal."""
    original = getattr(error, "orig", None) or error
    return next(iter(str(original).strip().splitlines()), type(original).__name__)
