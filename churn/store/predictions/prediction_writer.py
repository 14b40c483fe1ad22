"""Write predictions to the store from one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import sqlalchemy as sa

from churn.errors import StoreError
from churn.store.predictions.row_writer import RowWriter, make_row_writer
from churn.store.records import Prediction, PredictionRow


class PredictionWriter:
    """Writer for one database, connected on first use. Every method raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine, timeout_seconds: float) -> None:
        self._engine = engine
        self._timeout_seconds = timeout_seconds
        self._writing = threading.Lock()
        self._row_writer: RowWriter | None = None

    def write(self, batch: Sequence[Prediction]) -> None:
        """Store predictions, all or none. Those that are there already (by prediction_id) are left as they are."""
        try:
            rows = [prediction.row() for prediction in batch]
        except ValueError as error:
            raise StoreError(str(error)) from error
        self.write_rows(rows)

    def write_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Store predictions as `write` does, in the form in which the log keeps them."""
        if not rows:
            return
        with self._writing:
            self._connected().write(rows)

    def copy_rows(self, rows: Sequence[PredictionRow], /) -> None:
        """Store many predictions of which none is there yet, all or none, as fast as the database can."""
        if rows:
            with self._writing:
                self._connected().copy(rows)

    def write_rows_at_once(self, rows: Sequence[PredictionRow], /) -> bool:
        """Store a few predictions if that waits for nothing but the disk; return whether they are stored.

        Only one thread may call it; others may call `write_rows` meanwhile.
        """
        writer = self._row_writer
        return writer is not None and writer.write_at_once(rows)

    def _connected(self) -> RowWriter:
        if self._row_writer is None:
            self._row_writer = make_row_writer(self._engine, self._timeout_seconds)
        return self._row_writer

    def close(self) -> None:
        """Close the connection. One that hangs in a write stays, and ends with the process."""
        if self._writing.acquire(timeout=self._timeout_seconds):
            if self._row_writer is not None:
                self._row_writer.close()
                self._row_writer = None
            self._writing.release()
