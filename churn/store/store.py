"""The store: predictions, outcomes, looks of the monitor and decisions, in SQLite or PostgreSQL by one URL."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from churn.clock import now
from churn.contract import Contract
from churn.errors import StoreError
from churn.store.engine import make_engine, plain, translated
from churn.store.flow_runs import FlowRuns, count_flow_run, list_flow_runs
from churn.store.locks import NAMESPACE, HeldLock, lock_holder, take_lock
from churn.store.migrate import migrate
from churn.store.outcome_count import count_outcomes, move_on
from churn.store.outcomes import write_outcomes
from churn.store.prediction_reader import LOG_COLUMNS, Span, find_span, iter_parts, read_labelled, read_labelled_log, read_log
from churn.store.prediction_writer import RowWriter, row_writer
from churn.store.records import Decision, DecisionKind, MonitorRun, Outcome, OutcomeReceipt, Prediction, PredictionRow
from churn.store.tables import decisions, monitor_runs, outcomes, predictions
from churn.store.watermark import find_watermark

if TYPE_CHECKING:
    import pandas as pd

# How long a writer waits for another one's commit in SQLite.
TIMEOUT_SECONDS = 15.0
# Whichever look was the newest before.
ANY_RUN = "any"
__all__ = ["LOG_COLUMNS", "TIMEOUT_SECONDS", "Store", "migrate"]


class Store:
    """A connection pool to one migrated database. Every method is one transaction and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.engine = engine
        self._timeout_seconds = timeout_seconds
        self._writing = threading.Lock()
        self._row_writer: RowWriter | None = None

    @classmethod
    def open(cls, url: str, timeout_seconds: float | None = None) -> Self:
        """Migrate the database at `url` and connect to it.

        Parameters
        ----------
        url : str
        timeout_seconds : float, optional
            How long a statement may take, or wait for others. None: as long as it takes in PostgreSQL, 15 s in SQLite.
        """
        store = cls(make_engine(url, timeout_seconds), timeout_seconds or TIMEOUT_SECONDS)
        if timeout_seconds is not None and store.engine.dialect.name == "postgresql":
            # A migration may take its time; a server that stands still must not be taken for one.
            store.ping()
        migrate(url)
        return store

    def close(self) -> None:
        """Give the connections back."""
        # A write that hangs has the lock: it ends with the process.
        if self._writing.acquire(timeout=self._timeout_seconds):
            if self._row_writer is not None:
                self._row_writer.close()
                self._row_writer = None
            self._writing.release()
        self.engine.dispose()

    def ping(self) -> None:
        """Ask the store for a sign of life; StoreError if there is none."""
        with translated(), self.engine.connect() as connection:
            connection.execute(sa.select(1))

    def lock(
        self, what: str, holder: str, *, timeout_seconds: float = 0.0, on_wait: Callable[[str], None] = lambda _holder: None
    ) -> AbstractContextManager[HeldLock]:
        """Do something that is done by one at a time, on all hosts of this store; see `churn.store.locks.take_lock`."""
        return take_lock(self.engine, what, holder, timeout_seconds=timeout_seconds, on_wait=on_wait)

    def lock_holder(self, what: str) -> str:
        """Say who is doing it now, and since when; empty if nobody is."""
        return lock_holder(self.engine, what)

    def write_predictions(self, batch: Sequence[Prediction]) -> None:
        """Store predictions, all or none. Ones that are already there (by prediction_id) are left as they are."""
        try:
            rows = [prediction.row() for prediction in batch]
        except ValueError as error:
            raise StoreError(str(error)) from error
        self.write_rows(rows)

    def write_rows(self, rows: Sequence[PredictionRow]) -> None:
        """Store predictions as `write_predictions` does, spelled as the log keeps them."""
        if not rows:
            return
        with self._writing:
            if self._row_writer is None:
                self._row_writer = row_writer(self.engine, self._timeout_seconds)
            self._row_writer.write(rows)

    def write_rows_at_once(self, rows: Sequence[PredictionRow]) -> bool:
        """Store a few predictions if that waits for nobody and nothing but the disk; tell whether they are stored.

        For one thread only, beside which others may `write_rows`.
        """
        writer = self._row_writer
        return writer is not None and writer.write_at_once(rows)

    def write_outcomes(self, batch: Sequence[Outcome]) -> OutcomeReceipt:
        """Store what came true. Saying the same twice changes nothing; of two different results the first stays."""
        with translated(), self.engine.begin() as connection:
            return write_outcomes(connection, batch)

    def count_predictions(self, *, model_version: str | None = None, after_seq: int = 0) -> int:
        """Count predictions, of one model version or of all, numbered above `after_seq`."""
        query = sa.select(sa.func.count()).select_from(predictions).where(predictions.c.seq > after_seq)
        if model_version is not None:
            query = query.where(predictions.c.model_version == model_version)
        with translated(), self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def count_outcomes(self) -> int:
        """Count the outcomes that were ever stored, those that were removed since too; it takes as long as few are new."""
        with translated(), self.engine.connect() as connection:
            return count_outcomes(connection)

    def read_predictions(
        self,
        contract: Contract,
        *,
        model_version: str | None = None,
        after_seq: int = 0,
        after_outcome_seq: int | None = None,
        newest: int | None = None,
    ) -> pd.DataFrame:
        """Read predictions with their outcomes, in the order of `seq`.

        Parameters
        ----------
        contract : Contract
            Names the features.
        model_version : str, optional
            Only what this model answered.
        after_seq : int
            Only predictions numbered above it.
        after_outcome_seq : int, optional
            Only labelled predictions, whose outcome is numbered above it (0: all labelled ones). None: labelled or not.
        newest : int, optional
            At most so many, the newest: by number, or labelled ones by when they were asked for.

        Returns
        -------
        pandas.DataFrame, shape (n_predictions, 9 + n_features)
            Columns seq, prediction_id, customer_id, requested_at, model_version, churn_probability (0 to 1),
            churned (0.0, 1.0, or NaN while unknown), observed_at, outcome_seq (NaN while unknown), then the contract's
            features as in `churn.customers.frame`.
        """
        which: Any = {"model_version": model_version, "after_seq": after_seq, "newest": newest}
        with translated(), self.engine.connect() as connection:
            if after_outcome_seq is None:
                return read_log(connection, contract, **which)
            return read_labelled_log(connection, contract, after_outcome_seq=after_outcome_seq, **which)

    def find_span(self, model_version: str, *, after_seq: int, newest: int) -> Span:
        """Find the predictions of a model version numbered above `after_seq`, up to the newest so many.

        It does not reach a number before which a row could still appear: that would never be read.
        """
        with translated(), self.engine.connect() as connection:
            watermark = find_watermark(connection, predictions)
            return find_span(connection, model_version, after_seq, watermark, newest)

    def iter_predictions(
        self, contract: Contract, model_version: str, span: Span, *, share: float = 1.0
    ) -> Iterator[pd.DataFrame]:
        """Read the predictions of a span in parts, in the order of `seq`: a million rows need no more memory than 20,000.

        Parameters
        ----------
        share : float
            In (0, 1]; below 1 only about that share of the rows, evenly spread and the same ones each time.

        Yields
        ------
        pandas.DataFrame, shape (at most 20,000, 4 + n_features)
            Columns seq, requested_at (in UTC), churn_probability, threshold (0 to 1), then the contract's features as in
            `churn.customers.frame`.
        """
        with translated(), self.engine.connect() as connection:
            yield from iter_parts(connection, contract, model_version, span, share)

    def read_outcomes(
        self, model_version: str, *, after_outcome_seq: int, newest: int, mature: tuple[datetime, datetime] | None = None
    ) -> pd.DataFrame:
        """Read labelled predictions of a model version without their features, in the order of `seq`.

        Parameters
        ----------
        after_outcome_seq : int
            Only those whose outcome is numbered above it.
        newest : int
            At most so many, the newest.
        mature : (datetime, datetime), optional
            Only predictions asked for up to the second moment; those asked for after the first one whatever the number of
            their outcome, since they were too young before.

        Returns
        -------
        pandas.DataFrame, shape (n_labelled, 6)
            Columns seq, requested_at (in UTC), churn_probability, threshold (0 to 1), churned (0.0 or 1.0), outcome_seq.
        """
        with translated(), self.engine.connect() as connection:
            watermark = find_watermark(connection, outcomes)
            return read_labelled(connection, model_version, (after_outcome_seq, watermark), mature, newest)

    def write_monitor_run(self, run: MonitorRun, decision: Decision | None = None, *, follows: str | None = ANY_RUN) -> bool:
        """Store one look and what was decided on it, both or neither, unless the window was judged before.

        Parameters
        ----------
        follows : str or None
            The look that was the newest of this model version when the window was taken, None if there was none. If another is
            by now, a part of the window was judged by it.

        Returns
        -------
        bool
            True if this look is in the store now (also if it was already: saying it twice changes nothing), False if
            another look has judged the same window.
        """
        try:
            with self.engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # As inserting does in SQLite, it lets one at a time go on from here.
                    number = zlib.crc32(f"look {run.model_version}".encode()) & 0x7FFFFFFF
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(NAMESPACE, number)))
                connection.execute(monitor_runs.insert(), [asdict(run)])
                if follows != ANY_RUN and _newest_before(connection, run) != follows:
                    connection.rollback()
                    return False
                move_on(connection, run.last_outcome_seq)
                if decision is not None:
                    connection.execute(decisions.insert(), [asdict(decision)])
        except IntegrityError:
            with translated(), self.engine.connect() as connection:
                same = sa.select(monitor_runs.c.run_id).where(monitor_runs.c.run_id == run.run_id)
                return connection.execute(same).first() is not None
        except SQLAlchemyError as error:
            raise StoreError(plain(error)) from error
        return True

    def monitor_runs(self, *, limit: int = 50, model_version: str | None = None) -> list[MonitorRun]:
        """List the newest looks, newest first. Those of one version are in the order of life, whatever a clock said meanwhile."""
        query = sa.select(monitor_runs).limit(limit)
        if model_version is None:
            query = query.order_by(monitor_runs.c.started_at.desc(), monitor_runs.c.run_id.desc())
        else:
            query = query.where(monitor_runs.c.model_version == model_version).order_by(*_BY_LIFE)
        with translated(), self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [MonitorRun(**row) for row in rows]

    def write_decision(self, decision: Decision) -> None:
        """Store a decision with its evidence."""
        with translated(), self.engine.begin() as connection:
            connection.execute(decisions.insert(), [asdict(decision)])

    def decisions(
        self,
        *,
        kind: DecisionKind | tuple[DecisionKind, ...] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        model_version: str | None = None,
        limit: int = 100,
    ) -> list[Decision]:
        """List the newest decisions, newest first: of one kind or several, since and until a moment, of one model version."""
        query = sa.select(decisions).order_by(decisions.c.decided_at.desc(), decisions.c.decision_id.desc()).limit(limit)
        if kind is not None:
            query = query.where(decisions.c.kind.in_([kind] if isinstance(kind, DecisionKind) else kind))
        if since is not None:
            query = query.where(decisions.c.decided_at >= since)
        if until is not None:
            query = query.where(decisions.c.decided_at <= until)
        if model_version is not None:
            query = query.where(decisions.c.model_version == model_version)
        with translated(), self.engine.connect() as connection:
            return [Decision(**row) for row in connection.execute(query).mappings().all()]

    def write_flow_run(self, flow: str, *, seconds: float, failure: str = "", at: datetime | None = None) -> None:
        """Count a run of a flow that has just ended; `failure` says of what it failed, and is empty if it ended well."""
        with translated(), self.engine.begin() as connection:
            count_flow_run(connection, flow, failure=failure, seconds=seconds, at=at or now())

    def flow_runs(self) -> list[FlowRuns]:
        """Tell how the runs of each flow ended, by name of the flow."""
        with translated(), self.engine.connect() as connection:
            return list_flow_runs(connection)


# Each look goes further than the one before it, in one of these at least.
_BY_LIFE = (monitor_runs.c.last_seq.desc(), monitor_runs.c.last_outcome_seq.desc(), monitor_runs.c.mature_until.desc())


def _newest_before(connection: sa.Connection, run: MonitorRun) -> str | None:
    """Name the newest look at the same model version but this one."""
    others = sa.select(monitor_runs.c.run_id).where(
        monitor_runs.c.model_version == run.model_version, monitor_runs.c.run_id != run.run_id
    )
    return connection.execute(others.order_by(*_BY_LIFE).limit(1)).scalar_one_or_none()
