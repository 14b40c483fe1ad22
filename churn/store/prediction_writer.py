"""Writing many predictions fast: primitives go to the database in few statements, without a mapper's work a row.

An answer waits for its record's commit, so this is on the way of every request. Two things decide how long: a statement of many
rows gives the interpreter's lock away once, where one a row fights for it once a row; and moving the write-ahead log's pages into
the database (a checkpoint) waits for the disk, so that it must not happen inside somebody's commit.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from churn.errors import RowsRefused, StoreError
from churn.store.records import PredictionRow

# Rows a statement: each number of rows is a statement of its own, which SQLite keeps prepared.
STATEMENT_ROWS = 64
# Each checkpoint makes those who write at that moment wait for the disk, so there are few of them.
CHECKPOINT_SECONDS = 5.0
# Above it, writers are held up for a moment so that the write-ahead log can begin anew.
MAX_WAL_BYTES = 256 * 2**20
# How long that moment may be: a reader who stays longer is waited for in the next round.
RESTART_SECONDS = 0.05
_COLUMNS = ", ".join(PredictionRow._fields)
_PLACES = f"({', '.join('?' * len(PredictionRow._fields))})"
logger = logging.getLogger(__name__)


class RowWriter(Protocol):
    """Writes rows of one database. Not for two threads at once (`write_at_once` may be called beside `write`)."""

    def write(self, rows: Sequence[PredictionRow], /) -> None:
        """Store rows, all or none; those that are there already (by prediction_id) stay as they are. StoreError if it cannot."""

    def write_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """Store a few rows, all or none, if it can be done without waiting for anybody; tell whether they are stored."""

    def close(self) -> None:
        """Give the connection back."""


def row_writer(engine: sa.Engine, busy_seconds: float) -> RowWriter:
    """Make the writer that suits the database; it waits for others so long at most."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path not in (None, "", ":memory:"):
        return SqliteRowWriter(Path(str(path)), busy_seconds)
    if engine.dialect.name == "postgresql":
        from churn.store.postgres_writer import PostgresRowWriter

        return PostgresRowWriter(engine)
    return EngineRowWriter(engine)


class SqliteRowWriter:
    """Writes through a connection of its own, on which commits never wait for a checkpoint."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path, self._busy_seconds = path, busy_seconds
        self._connection: sqlite3.Connection | None = None
        self._hasty: sqlite3.Connection | None = None
        self._hasty_file: tuple[int, int] | None = None
        self._file: tuple[int, int] | None = None
        self._checkpoints: Checkpoints | None = None

    def write(self, rows: Sequence[PredictionRow], /) -> None:
        """See `RowWriter`."""
        try:
            connection = self._connected()
            if len(rows) <= STATEMENT_ROWS:
                connection.execute(_insert(len(rows)), list(chain.from_iterable(rows)))
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                for start in range(0, len(rows), STATEMENT_ROWS):
                    some = rows[start : start + STATEMENT_ROWS]
                    connection.execute(_insert(len(some)), list(chain.from_iterable(some)))
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError) as error:
            raise RowsRefused(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            # Never the values. The next write begins with a new connection: a file that was away may be another one.
            self._disconnect()
            raise StoreError(str(error)) from error

    def write_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """See `RowWriter`. Through another connection, which gives up at once when somebody else is writing."""
        if self._checkpoints is None or len(rows) > STATEMENT_ROWS:
            return False  # nothing was written yet: the other way finds out whether there is anything to write to
        try:
            found = self._path.stat()
            if (found.st_dev, found.st_ino) != self._hasty_file:
                self._drop_hasty()
            if self._hasty is None:
                self._hasty = _connect(self._path, 0.0)
                self._hasty_file = found.st_dev, found.st_ino
            self._hasty.execute(_insert(len(rows)), list(chain.from_iterable(rows)))
        except (sqlite3.Error, OSError) as error:
            # The other way waits for who is busy, or tells what is broken.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                self._drop_hasty()
            return False
        return True

    def _drop_hasty(self) -> None:
        hasty, self._hasty = self._hasty, None
        if hasty is not None:
            with suppress(sqlite3.Error):
                hasty.close()

    def close(self) -> None:
        """See `RowWriter`."""
        self._drop_hasty()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.stop()
            self._checkpoints = None
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        # To a file that was moved or removed, an open connection goes on writing, and nobody would ever find it there.
        found = self._path.stat()
        if self._connection is not None and (found.st_dev, found.st_ino) != self._file:
            self._disconnect()
        if self._connection is None:
            # `mode=rw`: a file that is gone must not be made anew, without its tables.
            self._connection = _connect(self._path, self._busy_seconds)
            self._file = found.st_dev, found.st_ino
            self._checkpoints = Checkpoints(self._path)
            self._checkpoints.start()
        return self._connection


class Checkpoints:
    """Moves the write-ahead log into the database, in a thread and through a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for a checkpoint that runs."""
        self._stopped.set()

    def _run(self) -> None:
        # The times of change that the last two rounds found, both of which moved all there was. They are compared with each other
        # and with no clock: that one may be set back, and there would be no checkpoint until it has caught up.
        done: tuple[int | None, int | None] = None, None
        while not self._stopped.wait(CHECKPOINT_SECONDS):
            try:
                if not self._wal.exists():
                    continue
                changed = self._wal.stat().st_mtime_ns
                # Twice, as what was written a moment after a look may bear the same time.
                if done == (changed, changed):
                    continue
                with closing(_connect(self._path, RESTART_SECONDS)) as connection:
                    moved = checkpoint(connection, MAX_WAL_BYTES)
                done = (done[1], changed) if moved else (None, None)
            except (sqlite3.Error, OSError) as error:
                # Another process may be at it, or the file away: the next round tries again.
                logger.debug("no checkpoint: %s", error)


def checkpoint(connection: sqlite3.Connection, largest: int) -> bool:
    """Move what can be moved while others write and read; if the log has more bytes, then the rest, so that it begins anew.

    What counts is how much of it is in use: its file does not shrink by itself. Tells whether all there was has been moved.
    """
    _, used, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    if used * page > largest:
        # What was written in the meantime is moved before writers are held up, so that they wait for little.
        for _ in range(2):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
    return bool(used == moved)


class EngineRowWriter:
    """Writes through SQLAlchemy's connections: for databases in memory, which have no other."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, rows: Sequence[PredictionRow], /) -> None:
        """See `RowWriter`."""
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(_insert(1), [tuple(row) for row in rows])
        except (IntegrityError, DataError) as error:
            raise RowsRefused(type(error.orig).__name__) from None
        except SQLAlchemyError as error:
            # Never the statement's parameters: they are personal values.
            raise StoreError(str(getattr(error, "orig", None) or error).strip().splitlines()[0]) from error

    def write_at_once(self, _rows: Sequence[PredictionRow], /) -> bool:
        """See `RowWriter`."""
        return False

    def close(self) -> None:
        """See `RowWriter`: the pool's connections are the engine's."""


def _insert(rows: int) -> str:
    return f"INSERT INTO predictions ({_COLUMNS}) VALUES {', '.join([_PLACES] * rows)} ON CONFLICT (prediction_id) DO NOTHING"  # noqa: S608 -- ours too


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{path.absolute()}?mode=rw",
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=2 * STATEMENT_ROWS,
    )
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=0", f"journal_size_limit={MAX_WAL_BYTES}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
