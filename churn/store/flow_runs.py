"""How the flows are doing: one row a flow, brought up to date at the end of each run. A flow that says nothing is found by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.store.tables import flow_runs

MAX_FAILURE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class FlowRuns:
    """All runs of one flow so far.

    Attributes
    ----------
    succeeded, failed : int
        How many ended well, and how many did not. Runs that were cancelled, as another one was at it, count as neither.
    last_success_at : datetime or None
        None if none ended well yet.
    last_seconds : float
        How long the newest took.
    last_failure : str
        What the newest failed of; empty if it did not.
    """

    flow: str
    succeeded: int
    failed: int
    last_ended_at: datetime
    last_success_at: datetime | None
    last_seconds: float
    last_failure: str


def count_flow_run(connection: sa.Connection, flow: str, *, failure: str, seconds: float, at: datetime) -> None:
    """Count a run that ended at `at`; `failure` is empty if it ended well. Two that end at once are both counted."""
    well = not failure
    newest = {
        "last_ended_at": at,
        "last_seconds": seconds,
        "last_failure": failure[:MAX_FAILURE_LENGTH],
        **({"last_success_at": at} if well else {}),
    }
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(flow_runs)
    first = {"flow": flow, "succeeded": int(well), "failed": int(not well), **newest}
    counted = {"succeeded": flow_runs.c.succeeded + int(well), "failed": flow_runs.c.failed + int(not well)}
    connection.execute(insert.values(first).on_conflict_do_update(index_elements=[flow_runs.c.flow], set_={**counted, **newest}))


def list_flow_runs(connection: sa.Connection) -> list[FlowRuns]:
    """List what is known of each flow, by name."""
    return [FlowRuns(**row) for row in connection.execute(sa.select(flow_runs).order_by(flow_runs.c.flow)).mappings()]
