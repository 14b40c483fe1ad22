"""Rows of outcomes: what each keeps of its prediction, and how they are inserted, at most one for a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.clock import now
from churn.store.database.chunks import chunks
from churn.store.records import Outcome
from churn.store.tables import outcomes, predictions


class Answered(NamedTuple):
    """What an outcome keeps of its prediction."""

    prediction_seq: int
    customer_id: str | None
    model_version: str
    requested_at: Any
    churn_probability: float
    threshold: float


def insert_rows(connection: sa.Connection, said: Mapping[str, Outcome], answered: Mapping[str, Answered]) -> set[str]:
    """Insert the outcomes of predictions that have none.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    said : mapping of str to Outcome
        By the prediction's id.
    answered : mapping of str to Answered
        Of each of these predictions.

    Returns
    -------
    set of str
        The ids of those that had none.
    """
    if not said:
        return set()
    received_at = now()
    rows = [
        {"prediction_id": i, "churned": o.churned, "observed_at": o.observed_at, "received_at": received_at}
        | answered[i]._asdict()
        for i, o in said.items()
    ]
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(outcomes)
    once = insert.on_conflict_do_nothing(index_elements=["prediction_id"]).returning(outcomes.c.prediction_id)
    return {str(i) for i in connection.execute(once, rows).scalars()}


def lock_predictions(connection: sa.Connection, ids: list[str], *, alone: bool) -> dict[str, Answered]:
    """Lock predictions until the transaction ends, and return what their outcomes keep of them.

    They must not be removed before, and of two replicas one waits for the other. In one order everywhere, so that each never
    waits for the other.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    ids : list of str
    alone : bool
        Whether nobody else may store an outcome of them meanwhile: for who reads an outcome before it is changed.

    Returns
    -------
    dict of str to Answered
        Those that exist, by id.
    """
    p = predictions.c
    found: dict[str, Answered] = {}
    for chunk in chunks(sorted(set(ids))):
        query = sa.select(
            p.prediction_id, p.seq, p.customer_id, p.model_version, p.requested_at, p.churn_probability, p.threshold
        )
        held = query.where(p.prediction_id.in_(chunk)).order_by(p.prediction_id).with_for_update(key_share=not alone)
        found.update((row[0], Answered(*row[1:])) for row in connection.execute(held))
    return found
