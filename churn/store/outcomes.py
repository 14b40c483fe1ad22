"""Outcomes in the store: each at most once for a prediction, with a copy of what performance is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.clock import now
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.outcome_count import count_outcomes
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.tables import outcomes, predictions


class Answered(NamedTuple):
    """What an outcome keeps of its prediction."""

    prediction_seq: int
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
    ids = _resolve(connection, batch)
    answered = _answered(connection, [i for i in ids if i is not None])
    ids = [i if i in answered else None for i in ids]
    known = _churned_by_id(connection, list(answered))
    unknown = [n for n, i in enumerate(ids) if i is None]
    new: dict[str, Outcome] = {}
    duplicates, conflicting, received_at = 0, [], now()
    for position, (prediction_id, outcome) in enumerate(zip(ids, batch, strict=True)):
        if prediction_id is None:
            continue
        stored = new[prediction_id].churned if prediction_id in new else known.get(prediction_id)
        if stored is None:
            new[prediction_id] = outcome
        elif stored == outcome.churned:
            duplicates += 1
        else:
            conflicting.append(position)
    rows = [
        {"prediction_id": i, "churned": o.churned, "observed_at": o.observed_at, "received_at": received_at}
        | answered[i]._asdict()
        for i, o in new.items()
    ]
    if rows:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(outcomes)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["prediction_id"]), rows)
    return OutcomeReceipt(len(new), duplicates, unknown, conflicting)


def _resolve(connection: sa.Connection, batch: Sequence[Outcome]) -> list[str | None]:
    """Return the id of the prediction that each outcome belongs to; None where a customer has no prediction."""
    newest: dict[str, str] = {}
    for chunk in chunks([o.customer_id for o in batch if o.prediction_id is None and o.customer_id is not None]):
        last = (
            sa.select(sa.func.max(predictions.c.seq))
            .where(predictions.c.customer_id.in_(chunk))
            .group_by(predictions.c.customer_id)
        )
        query = sa.select(predictions.c.customer_id, predictions.c.prediction_id).where(predictions.c.seq.in_(last))
        newest.update((str(row.customer_id), row.prediction_id) for row in connection.execute(query))
    return [o.prediction_id if o.prediction_id is not None else newest.get(o.customer_id or "") for o in batch]


def _answered(connection: sa.Connection, ids: list[str]) -> dict[str, Answered]:
    p = predictions.c
    found: dict[str, Answered] = {}
    for chunk in chunks(ids):
        query = sa.select(p.prediction_id, p.seq, p.model_version, p.requested_at, p.churn_probability, p.threshold)
        # They must not be removed before their outcomes are stored.
        held = query.where(p.prediction_id.in_(chunk)).with_for_update(read=True, key_share=True)
        found.update((row[0], Answered(*row[1:])) for row in connection.execute(held))
    return found


def _churned_by_id(connection: sa.Connection, ids: list[str]) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for chunk in chunks(ids):
        query = sa.select(outcomes.c.prediction_id, outcomes.c.churned).where(outcomes.c.prediction_id.in_(chunk))
        known.update((row.prediction_id, row.churned) for row in connection.execute(query))
    return known
