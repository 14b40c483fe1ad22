"""Write predictions to the store: primitives go to the database in few statements, without an ORM's work for each row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from churn.errors import RowsRefused
from churn.store.database.engine import store_error
from churn.store.predictions.sqlite_writer import SqliteRowWriter, insert_statement
from churn.store.records import PredictionRow


class RowWriter(Protocol):
    """Writer for one database. One thread at a time may `write`; another one may `write_at_once` meanwhile."""

    def write(self, rows: Sequence[PredictionRow], /) -> None:
        """Store rows, all or none; rows that are there already (by prediction_id) stay as they are. Raise StoreError else."""

    def write_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """Store a few rows, all or none, if nothing has to be waited for. Return whether they are stored."""

    def copy(self, rows: Sequence[PredictionRow], /) -> None:
        """Store many rows, all or none, as fast as the database can. Raise StoreError if one is there already, or else."""

    def close(self) -> None:
        """Close the connection."""


def make_row_writer(engine: sa.Engine, timeout_seconds: float) -> RowWriter:
    """Return the writer that suits a database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    timeout_seconds : float
        How long to wait for others that write to a SQLite file.

    Returns
    -------
    RowWriter
    """
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path not in (None, "", ":memory:"):
        return SqliteRowWriter(Path(str(path)), timeout_seconds)
    if engine.dialect.name == "postgresql":
        from churn.store.predictions.postgres_writer import PostgresRowWriter

        return PostgresRowWriter(engine)
    return EngineRowWriter(engine)


class EngineRowWriter:
    """Writer through SQLAlchemy's connections: the only way into a database in memory."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, rows: Sequence[PredictionRow], /) -> None:
        """See `RowWriter`."""
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(insert_statement(1), [tuple(row) for row in rows])
        except (IntegrityError, DataError) as error:
            raise RowsRefused(type(error.orig).__name__) from None
        except SQLAlchemyError as error:
            raise store_error(error) from error

    def write_at_once(self, _rows: Sequence[PredictionRow], /) -> bool:
        """See `RowWriter`."""
        return False

    def copy(self, rows: Sequence[PredictionRow], /) -> None:
        """See `RowWriter`."""
        self.write(rows)

    def close(self) -> None:
        """See `RowWriter`: the connections belong to the engine."""
