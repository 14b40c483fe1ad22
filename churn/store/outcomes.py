"""Outcomes in the store: each at most once for a prediction, with a copy of what performance is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.clock import now
from churn.store.database.chunks import chunks
from churn.store.database.column_types import UtcTime
from churn.store.database.engine import lock_for_writing, translated
from churn.store.outcome_count import count_outcomes
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.tables import outcomes, predictions


class Answered(NamedTuple):
    """What an outcome keeps of its prediction."""

    prediction_seq: int
    customer_id: str | None
    model_version: str
    requested_at: Any
    churn_probability: float
    threshold: float


class Outcomes:
    """The outcomes of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store outcomes. The same outcome again changes nothing; of two that differ the first stays."""
        with translated(), self._engine.begin() as connection:
            return insert_outcomes(connection, batch)

    def count(self) -> int:
        """Return how many outcomes were ever stored, removed ones included. It takes as long as few of them are new."""
        with translated(), self._engine.connect() as connection:
            return count_outcomes(connection)

    def last_received_at(self) -> datetime | None:
        """Return when the newest outcome was received; None if there is none."""
        query = sa.select(outcomes.c.received_at).order_by(outcomes.c.seq.desc()).limit(1)
        with translated(), self._engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()


def insert_outcomes(connection: sa.Connection, batch: Sequence[Outcome]) -> OutcomeReceipt:
    """Store outcomes within a transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    batch : sequence of Outcome

    Returns
    -------
    OutcomeReceipt
    """
    lock_for_writing(connection)
    ids = _resolve(connection, batch)
    answered = _answered(connection, [i for i in ids if i is not None])
    ids = [i if i in answered else None for i in ids]
    candidates: dict[str, Outcome] = {}
    for prediction_id, outcome in zip(ids, batch, strict=True):
        if prediction_id is not None:
            candidates.setdefault(prediction_id, outcome)
    new = _insert(connection, candidates, answered)
    churned = _churned_by_id(connection, [i for i in candidates if i not in new])
    churned |= {i: candidates[i].churned for i in new}
    agree = {n: churned[i] == o.churned for n, (i, o) in enumerate(zip(ids, batch, strict=True)) if i is not None}
    return OutcomeReceipt(
        accepted=len(new),
        duplicates=sum(agree.values()) - len(new),  # a new outcome agrees with itself
        unknown=[position for position in range(len(batch)) if position not in agree],
        conflicting=[position for position, agrees in agree.items() if not agrees],
    )


def _insert(connection: sa.Connection, candidates: dict[str, Outcome], answered: dict[str, Answered]) -> set[str]:
    """Insert the outcomes of predictions that have none, and return the ids of these predictions."""
    if not candidates:
        return set()
    received_at = now()
    rows = [
        {"prediction_id": i, "churned": o.churned, "observed_at": o.observed_at, "received_at": received_at}
        | answered[i]._asdict()
        for i, o in candidates.items()
    ]
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(outcomes)
    once = insert.on_conflict_do_nothing(index_elements=["prediction_id"]).returning(outcomes.c.prediction_id)
    return {str(i) for i in connection.execute(once, rows).scalars()}


def _resolve(connection: sa.Connection, batch: Sequence[Outcome]) -> list[str | None]:
    """Return the id of the prediction that each outcome belongs to; None where there is none.

    By customer id that is the newest prediction asked for at or before the outcome was observed. So it stays the same when the
    customer is asked about again, and a list that is sent again labels no later prediction.
    """
    ids = [outcome.prediction_id for outcome in batch]
    named = [
        (position, outcome.customer_id, outcome.observed_at)
        for position, outcome in enumerate(batch)
        if outcome.prediction_id is None and outcome.customer_id is not None
    ]
    p = predictions.c
    for chunk in chunks(named):
        columns = (sa.column("position", sa.Integer), sa.column("customer_id", sa.String), sa.column("observed_at", UtcTime))
        asked = sa.values(*columns, name="asked").data(chunk).cte("asked")
        newest = (
            sa.select(p.prediction_id)
            .where(p.customer_id == asked.c.customer_id, p.requested_at <= asked.c.observed_at)
            .order_by(p.requested_at.desc(), p.seq.desc())
            .limit(1)
            .scalar_subquery()
        )
        for position, prediction_id in connection.execute(sa.select(asked.c.position, newest)):
            ids[position] = prediction_id
    return ids


def _answered(connection: sa.Connection, ids: list[str]) -> dict[str, Answered]:
    p = predictions.c
    found: dict[str, Answered] = {}
    # Locked until their outcomes are stored: they must not be removed before, and of two replicas one waits for the other.
    # In one order everywhere, so that each never waits for the other.
    for chunk in chunks(sorted(set(ids))):
        query = sa.select(
            p.prediction_id, p.seq, p.customer_id, p.model_version, p.requested_at, p.churn_probability, p.threshold
        )
        held = query.where(p.prediction_id.in_(chunk)).order_by(p.prediction_id).with_for_update(key_share=True)
        found.update((row[0], Answered(*row[1:])) for row in connection.execute(held))
    return found


def _churned_by_id(connection: sa.Connection, ids: list[str]) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for chunk in chunks(ids):
        query = sa.select(outcomes.c.prediction_id, outcomes.c.churned).where(outcomes.c.prediction_id.in_(chunk))
        known.update((row.prediction_id, row.churned) for row in connection.execute(query))
    return known
