"""Write predictions to a SQLite file fast: an answer waits for its record's commit, so this is part of every request.

Two things decide how long it takes. A statement of many rows releases the interpreter's lock once, where one statement a row
competes for it once a row. And moving the write-ahead log into the database (a checkpoint) waits for the disk, so it must not
happen inside a commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path

from churn.errors import RowsRefused, StoreError
from churn.store.predictions.wal_checkpoints import CACHED_STATEMENTS, Checkpoints, connect
from churn.store.records import PredictionRow

# Each number of rows is a statement of its own, which SQLite keeps prepared for both connections.
STATEMENT_ROWS = CACHED_STATEMENTS // 2
# A batch goes in larger statements as far as it fills them: after each the interpreter's lock must be had again, for which a
# thread may wait 5 ms while others validate. (SQLite takes at most 32,766 values in a statement.)
BATCH_STATEMENT_ROWS = 1_000
_COLUMNS = ", ".join(PredictionRow._fields)
_PLACEHOLDERS = f"({', '.join('?' * len(PredictionRow._fields))})"


class SqliteRowWriter:
    """Writer through a connection of its own, on which commits never wait for a checkpoint."""

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        self._path, self._timeout_seconds = path, timeout_seconds
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        # For `write_at_once`: it gives up at once when somebody else is writing.
        self._impatient: sqlite3.Connection | None = None
        self._impatient_file: tuple[int, int] | None = None
        self._checkpoints: Checkpoints | None = None

    def write(self, rows: Sequence[PredictionRow], /) -> None:
        """See `churn.store.predictions.row_writer.RowWriter`."""
        try:
            connection = self._connected()
            if len(rows) <= STATEMENT_ROWS:
                connection.execute(insert_statement(len(rows)), list(chain.from_iterable(rows)))
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                start = 0
                while start < len(rows):
                    size = BATCH_STATEMENT_ROWS if len(rows) - start >= BATCH_STATEMENT_ROWS else STATEMENT_ROWS
                    some = rows[start : start + size]
                    connection.execute(insert_statement(len(some)), list(chain.from_iterable(some)))
                    start += size
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
            raise StoreError(f"the store failed: {error}") from error

    def copy(self, rows: Sequence[PredictionRow], /) -> None:
        """See `churn.store.predictions.row_writer.RowWriter`: nothing is faster here than large statements in one transaction."""
        self.write(rows)

    def write_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """See `churn.store.predictions.row_writer.RowWriter`."""
        if self._checkpoints is None or len(rows) > STATEMENT_ROWS:
            return False  # nothing was written yet: `write` finds out whether there is anything to write to
        try:
            found = self._path.stat()
            if (found.st_dev, found.st_ino) != self._impatient_file:
                self._drop_impatient()
            if self._impatient is None:
                self._impatient = connect(self._path, 0.0)
                self._impatient_file = found.st_dev, found.st_ino
            self._impatient.execute(insert_statement(len(rows)), list(chain.from_iterable(rows)))
        except (sqlite3.Error, OSError) as error:
            # `write` waits for who is busy, or reports what is broken.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                self._drop_impatient()
            return False
        return True

    def close(self) -> None:
        """See `churn.store.predictions.row_writer.RowWriter`."""
        self._drop_impatient()
        self._disconnect()

    def _drop_impatient(self) -> None:
        impatient, self._impatient = self._impatient, None
        if impatient is not None:
            with suppress(sqlite3.Error):
                impatient.close()

    def _disconnect(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.stop()
            self._checkpoints = None
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        # To a file that was moved or removed, an open connection goes on writing, and nobody would ever find the rows.
        found = self._path.stat()
        if self._connection is not None and (found.st_dev, found.st_ino) != self._file:
            self._disconnect()
        if self._connection is None:
            self._connection = connect(self._path, self._timeout_seconds)
            self._file = found.st_dev, found.st_ino
            self._checkpoints = Checkpoints(self._path)
            self._checkpoints.start()
        return self._connection


@lru_cache(maxsize=CACHED_STATEMENTS)
def insert_statement(rows: int) -> str:
    """Return the SQL that inserts so many predictions and leaves those that are there already as they are."""
    values = ", ".join([_PLACEHOLDERS] * rows)
    return f"INSERT INTO predictions ({_COLUMNS}) VALUES {values} ON CONFLICT (prediction_id) DO NOTHING"  # noqa: S608 -- our own columns' names
