"""Monitoring runs in the store: each window of a model version is judged once, whoever judges it first."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from churn.store.database.engine import store_error, translated
from churn.store.decisions import insert_decision
from churn.store.locks.postgres_lock import NAMESPACE, lock_number
from churn.store.outcomes.count import move_count
from churn.store.records import EPOCH, Decision, MonitorRun
from churn.store.tables import monitor_runs

# Of `follows`: whichever run was the newest before.
ANY_RUN = "any"
# What a run judged: new predictions, outcomes. As text, not as parameters, so that the index on it can be used.
_JUDGED = {"predictions": sa.text("rows > 0"), "outcomes": sa.text("labelled_rows > 0")}
# Each run goes further than the one before it in at least one of these, whatever the clock said.
_NEWEST_FIRST = (monitor_runs.c.last_seq.desc(), monitor_runs.c.last_outcome_seq.desc(), monitor_runs.c.mature_until.desc())


class Position(NamedTuple):
    """How far the monitoring runs of one model version have come; see `churn.store.records.MonitorRun`."""

    last_seq: int = 0
    last_outcome_seq: int = 0
    mature_until: datetime = EPOCH


class MonitorRuns:
    """The monitoring runs of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, run: MonitorRun, decision: Decision | None = None, *, follows: str | None = ANY_RUN) -> bool:
        """Store a run and what was decided on it, both or neither, unless its window was judged before.

        Parameters
        ----------
        run : MonitorRun
        decision : Decision, optional
            What follows from it.
        follows : str or None
            The id of the run that was the newest of this model version when the window was taken; None if there was none. If
            another is the newest by now, it has judged a part of the window. By default, this is not checked.

        Returns
        -------
        bool
            True if this run is in the store now, even if it was before. False if another run has judged the same window.
        """
        try:
            with self._engine.begin() as connection:
                _write_one_at_a_time(connection, run.model_version)
                connection.execute(monitor_runs.insert(), [asdict(run)])
                if follows != ANY_RUN and _newest_before(connection, run) != follows:
                    connection.rollback()
                    return False
                move_count(connection, run.last_outcome_seq)
                if decision is not None:
                    insert_decision(connection, decision)
        except IntegrityError:
            with translated(), self._engine.connect() as connection:
                same = sa.select(monitor_runs.c.run_id).where(monitor_runs.c.run_id == run.run_id)
                return connection.execute(same).first() is not None
        except SQLAlchemyError as error:
            raise store_error(error) from error
        return True

    def read(
        self,
        *,
        limit: int = 50,
        model_version: str | None = None,
        judged: Literal["predictions", "outcomes"] | None = None,
    ) -> list[MonitorRun]:
        """Return the newest runs, newest first.

        Parameters
        ----------
        limit : int, default 50
            At most so many.
        model_version : str, optional
            Only runs of this version, by how far they came: a clock that was set back does not change their order. By default,
            runs of all versions, by when they began.
        judged : {"predictions", "outcomes"}, optional
            Only runs that judged some, however many others came between: most runs see no outcomes where these come once a night.

        Returns
        -------
        list of MonitorRun
        """
        query = sa.select(monitor_runs).limit(limit)
        if model_version is None:
            query = query.order_by(monitor_runs.c.started_at.desc(), monitor_runs.c.run_id.desc())
        else:
            query = query.where(monitor_runs.c.model_version == model_version).order_by(*_NEWEST_FIRST)
        if judged is not None:
            query = query.where(_JUDGED[judged])
        with translated(), self._engine.connect() as connection:
            return [MonitorRun(**row) for row in connection.execute(query).mappings().all()]


def read_positions(connection: sa.Connection) -> dict[str, Position]:
    """Return how far the runs of each model version have come."""
    m = monitor_runs.c
    newest = (sa.func.max(m.last_seq), sa.func.max(m.last_outcome_seq), sa.func.max(m.mature_until))
    query = sa.select(m.model_version, *newest).group_by(m.model_version)
    return {row[0]: Position(*row[1:]) for row in connection.execute(query)}


def _write_one_at_a_time(connection: sa.Connection, model_version: str) -> None:
    """Wait in PostgreSQL for others that write a run of this version; in SQLite the insert itself waits."""
    if connection.dialect.name == "postgresql":
        number = lock_number(f"monitoring run {model_version}")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(NAMESPACE, number)))


def _newest_before(connection: sa.Connection, run: MonitorRun) -> str | None:
    others = sa.select(monitor_runs.c.run_id).where(
        monitor_runs.c.model_version == run.model_version, monitor_runs.c.run_id != run.run_id
    )
    return connection.execute(others.order_by(*_NEWEST_FIRST).limit(1)).scalar_one_or_none()
