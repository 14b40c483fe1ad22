"""A list that is stored in pieces becomes the same as one that is stored at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn.store.contacts.contacts import Contacts
from churn.store.contacts.records import Contact
from churn.store.outcomes.outcomes import Outcomes
from churn.store.records import Outcome
from churn.store.store import Store
from churn.store.tables import contacts, outcome_corrections, outcomes
from tests.unit.churn.store.rows import NOON, OBSERVED, prediction

NAMES = 3
KINDS = ({}, {"corrects": True}, {"withdrawn": True})
statements = st.tuples(st.integers(0, NAMES), st.booleans(), st.integers(0, 4), st.sampled_from(KINDS), st.booleans())


def told(number: int, by_customer: bool, churned: bool, day: int, kind: dict[str, bool], base: int) -> Outcome:
    """Return a statement about one of a few predictions, or about nobody."""
    name = {"customer_id": f"c{base + number}"} if by_customer and not kind else {"prediction_id": f"p{base + number}"}
    return Outcome(churned, OBSERVED + timedelta(days=day), **name, **kind)  # type: ignore[arg-type]


def rows(store: Store, table: sa.Table, base: int) -> list[tuple[Any, ...]]:
    """Return what a table says of the predictions from `base` on, without numbers and times of receipt."""
    c = table.c
    said = [
        column for column in c if column.name not in ("seq", "outcome_seq", "prediction_seq") and "received" not in column.name
    ]
    with store.engine.connect() as connection:
        found = connection.execute(sa.select(*said).order_by(c.seq)).all()
    return sorted(tuple(str(value).replace(str(base), "") for value in row) for row in found if f"{base}" in str(row))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(statements, max_size=9), piece_rows=st.integers(1, 4))
def test_outcomes_in_pieces_are_those_at_once(store: Store, said: list[Any], piece_rows: int) -> None:
    receipts, tables = [], []
    for size in (100, piece_rows):
        base = 10_000 + 10 * store.count_predictions()
        store.write_predictions([prediction(base + n, requested_at=NOON, churn_probability=0.3) for n in range(NAMES)])
        batch = [told(number, by, churned, day, kind, base) for number, churned, day, kind, by in said]
        receipts.append(Outcomes(store.engine, size).write(batch))
        tables.append((rows(store, outcomes, base), rows(store, outcome_corrections, base)))
    assert receipts[0] == receipts[1]
    assert tables[0] == tables[1]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(
        st.tuples(st.integers(0, NAMES), st.booleans(), st.integers(-1, 1), st.sampled_from((None, "10 %"))), max_size=9
    ),
    piece_rows=st.integers(1, 4),
)
def test_contacts_in_pieces_are_those_at_once(store: Store, said: list[Any], piece_rows: int) -> None:
    receipts, tables = [], []
    for size in (100, piece_rows):
        base = 10_000 + 10 * store.count_predictions()
        store.write_predictions(
            [prediction(base + n, requested_at=NOON, churn_probability=0.3, customer_id=f"c{base + n}") for n in range(NAMES)]
        )
        batch = [
            Contact(
                NOON + timedelta(days=day), offer=offer, **{"customer_id" if by else "prediction_id": f"{'cp'[not by]}{base + n}"}
            )
            for n, by, day, offer in said
        ]
        receipts.append(Contacts(store.engine, size).write(batch))
        tables.append(rows(store, contacts, base))
    assert receipts[0] == receipts[1]
    assert tables[0] == tables[1]
