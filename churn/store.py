"""The store: predictions, outcomes, looks of the monitor and decisions, in SQLite or PostgreSQL by one URL."""

from __future__ import annotations

import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from churn.contract import Contract
from churn.errors import InputError, StoreError
from churn.records import Decision, MonitorRun, Outcome, OutcomeReceipt, Prediction, PredictionRow, now
from churn.store_flows import FlowRuns, count_flow_run, list_flow_runs
from churn.store_reading import Span, find_span, iter_parts, read_labelled
from churn.store_rows import RowWriter, row_writer
from churn.tables import decisions, monitor_runs, outcomes, predictions
from churn.turns import NAMESPACE, Turn, take_turn, who_has_turn

if TYPE_CHECKING:
    import pandas as pd

# SQLite takes at most 32,766 parameters in a statement; PostgreSQL 65,535.
CHUNK = 4_000
# How long a writer waits for another one's commit in SQLite.
TIMEOUT_SECONDS = 15.0
# Any number will do, as long as nothing else in the database uses it.
MIGRATION_LOCK = 4_287_001
# Whichever look was the newest before.
ANY_LOOK = "any"
LOG_COLUMNS = [
    "seq",
    "prediction_id",
    "customer_id",
    "requested_at",
    "model_version",
    "churn_probability",
    "churned",
    "observed_at",
    "outcome_seq",
]


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema; one that is new is made, one that is up to date untouched.

    Raises
    ------
    StoreError
        If the database cannot be reached or migrated.
    """
    config = Config()
    config.set_main_option("script_location", "churn:migrations")
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            _take_turn(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (SQLAlchemyError, CommandError) as error:
        raise StoreError(f"the store cannot be set up: {_plain(error)}") from error
    finally:
        engine.dispose()


def _take_turn(connection: sa.Connection) -> None:
    """Let one process migrate at a time: the others wait here until it has committed, and then find nothing to do."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    else:
        # The driver begins no transaction before it reads or makes tables, and so would let two processes make the same.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


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
        migrate(url)
        return cls(_engine(url, timeout_seconds), timeout_seconds or TIMEOUT_SECONDS)

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
        with _translated(), self.engine.connect() as connection:
            connection.execute(sa.select(1))

    def turn(
        self, what: str, holder: str, *, patience: float = 0.0, on_wait: Callable[[str], None] = lambda _holder: None
    ) -> AbstractContextManager[Turn]:
        """Do something that is done by one at a time, on all hosts of this store; see `churn.turns.take_turn`."""
        return take_turn(self.engine, what, holder, patience=patience, on_wait=on_wait)

    def who_has_turn(self, what: str) -> str:
        """Say who is doing it now, and since when; empty if nobody is."""
        return who_has_turn(self.engine, what)

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
        with _translated(), self.engine.begin() as connection:
            ids = _resolve(connection, batch)
            known = _churned_by_id(connection, [i for i in ids if i is not None])
            receipt = OutcomeReceipt(unknown=[n for n, i in enumerate(ids) if i is None])
            fresh: dict[str, Outcome] = {}
            duplicates, received_at = 0, now()
            for position, (prediction_id, outcome) in enumerate(zip(ids, batch, strict=True)):
                if prediction_id is None:
                    continue
                said = fresh[prediction_id].churned if prediction_id in fresh else known.get(prediction_id)
                if said is None:
                    fresh[prediction_id] = outcome
                elif said == outcome.churned:
                    duplicates += 1
                else:
                    receipt.conflicting.append(position)
            rows = [
                {"prediction_id": i, "churned": o.churned, "observed_at": o.observed_at, "received_at": received_at}
                for i, o in fresh.items()
            ]
            if rows:
                connection.execute(self._insert_new(outcomes, "prediction_id"), rows)
        return OutcomeReceipt(len(fresh), duplicates, receipt.unknown, receipt.conflicting)

    def count_predictions(self, *, model_version: str | None = None, after_seq: int = 0) -> int:
        """Count predictions, of one model version or of all, numbered above `after_seq`."""
        query = sa.select(sa.func.count()).select_from(predictions).where(predictions.c.seq > after_seq)
        if model_version is not None:
            query = query.where(predictions.c.model_version == model_version)
        with _translated(), self.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

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
            At most so many, the newest.

        Returns
        -------
        pandas.DataFrame, shape (n_predictions, 9 + n_features)
            Columns seq, prediction_id, customer_id, requested_at, model_version, churn_probability (0 to 1),
            churned (0.0, 1.0, or NaN while unknown), observed_at, outcome_seq (NaN while unknown), then the contract's
            features as in `churn.frame`.
        """
        # Here, because the serving process only writes.
        import pandas as pd

        from churn.frame import frame_from_records

        query = (
            sa.select(
                predictions.c.seq,
                predictions.c.prediction_id,
                predictions.c.customer_id,
                predictions.c.requested_at,
                predictions.c.model_version,
                predictions.c.churn_probability,
                outcomes.c.churned,
                outcomes.c.observed_at,
                outcomes.c.seq.label("outcome_seq"),
                predictions.c.features,
            )
            .join(outcomes, outcomes.c.prediction_id == predictions.c.prediction_id, isouter=after_outcome_seq is None)
            .where(predictions.c.seq > after_seq)
            .order_by(predictions.c.seq.desc())
        )
        if after_outcome_seq is not None:
            query = query.where(outcomes.c.seq > after_outcome_seq)
        if model_version is not None:
            query = query.where(predictions.c.model_version == model_version)
        if newest is not None:
            query = query.limit(newest)
        with _translated(), self.engine.connect() as connection:
            rows = connection.execute(query).all()[::-1]
        head = pd.DataFrame([row[:9] for row in rows], columns=LOG_COLUMNS)
        head = head.astype({"churned": "float64", "outcome_seq": "float64"})
        return pd.concat([head, frame_from_records([row.features for row in rows], contract)], axis=1)

    def find_span(self, model_version: str, *, after_seq: int, newest: int) -> Span:
        """Find the predictions of a model version numbered above `after_seq`, up to the newest so many."""
        with _translated(), self.engine.connect() as connection:
            return find_span(connection, model_version, after_seq, newest)

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
            `churn.frame`.
        """
        with _translated(), self.engine.connect() as connection:
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
        with _translated(), self.engine.connect() as connection:
            return read_labelled(connection, model_version, after_outcome_seq, mature, newest)

    def write_monitor_run(self, run: MonitorRun, decision: Decision | None = None, *, follows: str | None = ANY_LOOK) -> bool:
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
                if follows != ANY_LOOK and _newest_before(connection, run) != follows:
                    connection.rollback()
                    return False
                if decision is not None:
                    connection.execute(decisions.insert(), [asdict(decision)])
        except IntegrityError:
            with _translated(), self.engine.connect() as connection:
                same = sa.select(monitor_runs.c.run_id).where(monitor_runs.c.run_id == run.run_id)
                return connection.execute(same).first() is not None
        except SQLAlchemyError as error:
            raise StoreError(_plain(error)) from error
        return True

    def monitor_runs(self, *, limit: int = 50, model_version: str | None = None) -> list[MonitorRun]:
        """List the newest looks, newest first. Those of one version are in the order of life, whatever a clock said meanwhile."""
        query = sa.select(monitor_runs).limit(limit)
        if model_version is None:
            query = query.order_by(monitor_runs.c.started_at.desc(), monitor_runs.c.run_id.desc())
        else:
            query = query.where(monitor_runs.c.model_version == model_version).order_by(*_BY_LIFE)
        with _translated(), self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [MonitorRun(**row) for row in rows]

    def write_decision(self, decision: Decision) -> None:
        """Store a decision with its evidence."""
        with _translated(), self.engine.begin() as connection:
            connection.execute(decisions.insert(), [asdict(decision)])

    def decisions(
        self,
        *,
        kind: str | tuple[str, ...] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        model_version: str | None = None,
        limit: int = 100,
    ) -> list[Decision]:
        """List the newest decisions, newest first: of one kind or several, since and until a moment, of one model version."""
        query = sa.select(decisions).order_by(decisions.c.decided_at.desc(), decisions.c.decision_id.desc()).limit(limit)
        if kind is not None:
            query = query.where(decisions.c.kind.in_([kind] if isinstance(kind, str) else kind))
        if since is not None:
            query = query.where(decisions.c.decided_at >= since)
        if until is not None:
            query = query.where(decisions.c.decided_at <= until)
        if model_version is not None:
            query = query.where(decisions.c.model_version == model_version)
        with _translated(), self.engine.connect() as connection:
            return [Decision(**row) for row in connection.execute(query).mappings().all()]

    def write_flow_run(self, flow: str, *, seconds: float, failure: str = "", at: datetime | None = None) -> None:
        """Count a run of a flow that has just ended; `failure` says of what it failed, and is empty if it ended well."""
        with _translated(), self.engine.begin() as connection:
            count_flow_run(connection, flow, failure=failure, seconds=seconds, at=at or now())

    def flow_runs(self) -> list[FlowRuns]:
        """Tell how the runs of each flow ended, by name of the flow."""
        with _translated(), self.engine.connect() as connection:
            return list_flow_runs(connection)

    def _insert_new(self, table: sa.Table, key: str) -> Any:
        if self.engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as pg_insert

            return pg_insert(table).on_conflict_do_nothing(index_elements=[key])
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table).on_conflict_do_nothing(index_elements=[key])


# Each look goes further than the one before it, in one of these at least.
_BY_LIFE = (monitor_runs.c.last_seq.desc(), monitor_runs.c.last_outcome_seq.desc(), monitor_runs.c.mature_until.desc())


def _newest_before(connection: sa.Connection, run: MonitorRun) -> str | None:
    """Name the newest look at the same model version but this one."""
    others = sa.select(monitor_runs.c.run_id).where(
        monitor_runs.c.model_version == run.model_version, monitor_runs.c.run_id != run.run_id
    )
    return connection.execute(others.order_by(*_BY_LIFE).limit(1)).scalar_one_or_none()


def _engine(url: str, timeout_seconds: float | None = None) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
        if backend == "postgresql" and parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if backend not in ("sqlite", "postgresql"):
            raise InputError(f"CHURN_STORE_URL: SQLite or PostgreSQL is needed, not {backend!r}")
        limits = {} if timeout_seconds is None or backend == "sqlite" else _postgres_limits(timeout_seconds)
        engine = sa.create_engine(
            parsed,
            connect_args=limits,
            pool_pre_ping=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
    except (ArgumentError, ImportError) as error:
        raise InputError(f"CHURN_STORE_URL: {error}") from error
    if backend == "sqlite":
        if parsed.database not in (None, "", ":memory:"):
            folder = Path(str(parsed.database)).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"no folder for the store: {error}") from error
        sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _postgres_limits(seconds: float) -> dict[str, Any]:
    """Let nothing hang: not a connection that is being made, not a statement, not a peer that is gone without a word."""
    milliseconds = max(1, round(1000 * seconds))
    return {
        "connect_timeout": max(2, round(seconds)),  # libpq takes whole seconds, and no fewer than two
        "options": f"-c statement_timeout={milliseconds}",
        "tcp_user_timeout": milliseconds,
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
    """Log ahead of writing: readers never wait for the writer, and what is committed survives a killed process."""
    connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(_plain(error)) from error


def _plain(error: SQLAlchemyError | CommandError) -> str:
    # Never the statement's parameters: they are personal values.
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _resolve(connection: sa.Connection, batch: Sequence[Outcome]) -> list[str | None]:
    """Give the prediction each outcome speaks of, None where there is none."""
    said = [o.prediction_id for o in batch if o.prediction_id is not None]
    known: set[str] = set()
    for chunk in _chunks(said):
        known.update(
            connection.execute(sa.select(predictions.c.prediction_id).where(predictions.c.prediction_id.in_(chunk))).scalars()
        )
    newest: dict[str, str] = {}
    for chunk in _chunks([o.customer_id for o in batch if o.prediction_id is None and o.customer_id is not None]):
        last = (
            sa.select(sa.func.max(predictions.c.seq))
            .where(predictions.c.customer_id.in_(chunk))
            .group_by(predictions.c.customer_id)
        )
        query = sa.select(predictions.c.customer_id, predictions.c.prediction_id).where(predictions.c.seq.in_(last))
        newest.update((str(row.customer_id), row.prediction_id) for row in connection.execute(query))
    return [
        (o.prediction_id if o.prediction_id in known else None)
        if o.prediction_id is not None
        else newest.get(o.customer_id or "")
        for o in batch
    ]


def _churned_by_id(connection: sa.Connection, ids: list[str]) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for chunk in _chunks(ids):
        query = sa.select(outcomes.c.prediction_id, outcomes.c.churned).where(outcomes.c.prediction_id.in_(chunk))
        known.update((row.prediction_id, row.churned) for row in connection.execute(query))
    return known


def _chunks(values: list[str]) -> list[list[str]]:
    return [values[start : start + CHUNK] for start in range(0, len(values), CHUNK)]
