"""Outcomes in the store: each at most once for a prediction, with a copy of what performance is measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from churn.store.database.chunks import chunks
from churn.store.database.column_types import UtcTime
from churn.store.database.engine import lock_for_writing, translated
from churn.store.outcomes.corrections import apply_corrections, find_withdrawn
from churn.store.outcomes.count import count_outcomes
from churn.store.outcomes.rows import insert_rows, lock_predictions
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.tables import outcomes, predictions


class Outcomes:
    """The outcomes of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store outcomes. The same again changes nothing; of two that differ the first stays, unless the other corrects it."""
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
    revised = {n for n, outcome in enumerate(batch) if outcome.corrects or outcome.withdrawn}
    answered = lock_predictions(connection, [i for i in ids if i is not None], alone=bool(revised))
    found = {n: i for n, i in enumerate(ids) if i in answered}
    candidates: dict[str, Outcome] = {}
    for n, prediction_id in found.items():
        if n not in revised:
            candidates.setdefault(prediction_id, batch[n])
    # What was withdrawn is not known again because an old list is sent again.
    withdrawn = find_withdrawn(connection, list(candidates))
    new = insert_rows(connection, {i: o for i, o in candidates.items() if i not in withdrawn}, answered)
    churned = _churned_by_id(connection, [i for i in candidates if i not in new])
    churned |= {i: candidates[i].churned for i in new}
    agree = {n: churned.get(i) == batch[n].churned for n, i in found.items() if n not in revised}
    results = apply_corrections(connection, [(n, found[n], batch[n]) for n in revised & found.keys()], answered)
    became = Counter(results.values())
    return OutcomeReceipt(
        accepted=len(new) + became["accepted"],
        duplicates=sum(agree.values()) - len(new) + became["duplicate"],  # a new outcome agrees with itself
        unknown=[n for n in range(len(batch)) if n not in found],
        conflicting=sorted(n for n in found if not agree.get(n, results.get(n) != "conflicting")),
        corrected=became["corrected"],
    )


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


def _churned_by_id(connection: sa.Connection, ids: list[str]) -> dict[str, bool]:
    known: dict[str, bool] = {}
    for chunk in chunks(ids):
        query = sa.select(outcomes.c.prediction_id, outcomes.c.churned).where(outcomes.c.prediction_id.in_(chunk))
        known.update((row.prediction_id, row.churned) for row in connection.execute(query))
    return known
