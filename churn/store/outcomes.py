"""What came true, written down beside what was answered: each outcome once, and with what is judged of its prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.clock import now
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.tables import outcomes, predictions

# SQLite takes at most 32,766 parameters in a statement; PostgreSQL 65,535.
CHUNK = 4_000
T = TypeVar("T")


class Answered(NamedTuple):
    """What an outcome keeps of its prediction."""

    prediction_seq: int
    model_version: str
    requested_at: Any
    churn_probability: float
    threshold: float


def write_outcomes(connection: sa.Connection, batch: Sequence[Outcome]) -> OutcomeReceipt:
    """Store outcomes, see `churn.store.store.Store.write_outcomes`."""
    ids = _resolve(connection, batch)
    answered = _answered(connection, [i for i in ids if i is not None])
    ids = [i if i in answered else None for i in ids]
    known = _churned_by_id(connection, list(answered))
    unknown = [n for n, i in enumerate(ids) if i is None]
    fresh: dict[str, Outcome] = {}
    duplicates, conflicting, received_at = 0, [], now()
    for position, (prediction_id, outcome) in enumerate(zip(ids, batch, strict=True)):
        if prediction_id is None:
            continue
        said = fresh[prediction_id].churned if prediction_id in fresh else known.get(prediction_id)
        if said is None:
            fresh[prediction_id] = outcome
        elif said == outcome.churned:
            duplicates += 1
        else:
            conflicting.append(position)
    rows = [
        {"prediction_id": i, "churned": o.churned, "observed_at": o.observed_at, "received_at": received_at}
        | answered[i]._asdict()
        for i, o in fresh.items()
    ]
    if rows:
        insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(outcomes)
        connection.execute(insert.on_conflict_do_nothing(index_elements=["prediction_id"]), rows)
    return OutcomeReceipt(len(fresh), duplicates, unknown, conflicting)


def _resolve(connection: sa.Connection, batch: Sequence[Outcome]) -> list[str | None]:
    """Give the id of the prediction each outcome speaks of, None where a customer has none."""
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
        # They must not be removed before their outcomes stand beside them.
        held = query.where(p.prediction_id.in_(chunk)).with_for_update(read=True, key_share=True)
        found.update((row[0], Answered(*row[1:])) for row in connection.execute(held))
    return found


def _churned_by_id(connection: sa.Connection, ids: list[str]) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for chunk in chunks(ids):
        query = sa.select(outcomes.c.prediction_id, outcomes.c.churned).where(outcomes.c.prediction_id.in_(chunk))
        known.update((row.prediction_id, row.churned) for row in connection.execute(query))
    return known


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Give values in pieces that fit into a statement."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
