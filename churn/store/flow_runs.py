"""Runs of the flows, counted: one row a flow, updated at the end of each run. A flow that stopped running shows here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from churn.clock import now
from churn.store.database.engine import translated
from churn.store.database.insert import insert_into
from churn.store.tables import flow_runs

MAX_FAILURE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class FlowRunCounts:
    """All runs of one flow so far.

    Attributes
    ----------
    succeeded, failed : int
        How many succeeded, and how many failed. Runs that were cancelled because another one was running count as neither.
    last_success_at : datetime or None
        None if none has succeeded yet.
    last_seconds : float
        How long the newest took.
    last_failure : str
        Why the newest failed; empty if it succeeded.
    """

    flow: str
    succeeded: int
    failed: int
    last_ended_at: datetime
    last_success_at: datetime | None
    last_seconds: float
    last_failure: str


class FlowRuns:
    """The flow runs of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, flow: str, *, seconds: float, failure: str = "", at: datetime | None = None) -> None:
        """Count a run that has ended. Two that end at the same time are both counted.

        Parameters
        ----------
        flow : str
            Its name.
        seconds : float
            How long it took.
        failure : str
            Why it failed; empty if it succeeded. Cut off after 500 characters.
        at : datetime, optional
            When it ended; by default, now.
        """
        succeeded, at = not failure, at or now()
        newest = {"last_ended_at": at, "last_seconds": seconds, "last_failure": failure[:MAX_FAILURE_LENGTH]}
        if succeeded:
            newest["last_success_at"] = at
        first = {"flow": flow, "succeeded": int(succeeded), "failed": int(not succeeded), **newest}
        counts = {"succeeded": flow_runs.c.succeeded + int(succeeded), "failed": flow_runs.c.failed + int(not succeeded)}
        insert = insert_into(self._engine.dialect.name, flow_runs)
        upsert = insert.values(first).on_conflict_do_update(index_elements=[flow_runs.c.flow], set_={**counts, **newest})
        with translated(), self._engine.begin() as connection:
            connection.execute(upsert)

    def read(self) -> list[FlowRunCounts]:
        """Return what is known of each flow, by name."""
        query = sa.select(flow_runs).order_by(flow_runs.c.flow)
        with translated(), self._engine.connect() as connection:
            return [FlowRunCounts(**row) for row in connection.execute(query).mappings()]
