"""The accountant: holds what a client was told against what the store has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from benchmarks.chaos.scenarios import Row
from benchmarks.chaos.service.load import Tally
from churn.store.store import Store
from churn.store.tables import predictions

PART = 20_000


@dataclass(frozen=True)
class Account:
    """What is wrong.

    Attributes
    ----------
    lost : int
        Answered, but not in the store, or there with another probability.
    duplicated : int
        Customers who asked once and are in the store more than once, and ids that are.
    stored : int
        Predictions of these clients in the store: also those whose answer was cut off on its way.
    """

    lost: int
    duplicated: int
    stored: int


def settle_account(store_url: str, tallies: Sequence[Tally]) -> Account:
    """Compare; the store must have got all that waited for it."""
    owed = {one: probability for tally in tallies for one, probability in tally.answered.items()}
    store = Store.open(store_url)
    stored = duplicated = 0
    try:
        with store.engine.connect() as connection:
            for tally in tallies:
                # Of one client: prefixes would not do, another one's name may begin with it.
                ours = predictions.c.customer_id.startswith(f"{tally.name}-", autoescape=True)
                query = sa.select(predictions.c.prediction_id, predictions.c.churn_probability).where(ours)
                for one, probability in connection.execution_options(yield_per=PART).execute(query):
                    stored += 1
                    if owed.get(one) == probability:
                        del owed[one]
                for key in (predictions.c.customer_id, predictions.c.prediction_id):
                    often = sa.select(sa.func.count().label("times")).where(ours).group_by(key).having(sa.func.count() > 1)
                    extra = sa.select(sa.func.coalesce(sa.func.sum(often.subquery().c.times - 1), 0))
                    duplicated += int(connection.execute(extra).scalar_one())
    finally:
        store.close()
    return Account(len(owed), duplicated, stored)


def enter(row: Row, store_url: str, *tallies: Tally) -> Row:
    """Add what clients saw, and what the store has of it, to a scenario's row."""
    account = settle_account(store_url, tallies)
    row.made += sum(tally.made for tally in tallies)
    row.failed += sum(len(tally.failed) for tally in tallies)
    row.cut += sum(tally.cut for tally in tallies)
    row.lost += account.lost
    row.duplicated += account.duplicated
    row.expect("an answered prediction is in the store", not row.lost)
    row.expect("each prediction is in the store once", not row.duplicated)
    row.figures["answered"] = row.figures.get("answered", 0) + sum(len(tally.answered) for tally in tallies)
    return row


def stored_ids(store_url: str) -> set[str]:
    """Give the ids of all predictions in the store."""
    store = Store.open(store_url)
    try:
        with store.engine.connect() as connection:
            return set(connection.execute(sa.select(predictions.c.prediction_id)).scalars())
    finally:
        store.close()
