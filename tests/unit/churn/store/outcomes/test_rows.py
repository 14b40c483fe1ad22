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
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from churn.store.tables import contacts, outcome_corrections, outcomes
from tests.unit.churn.store.rows import NOON, OBSERVED, prediction

NAMES = 3
KINDS = ({}, {"corrects": True}, {"withdrawn": True})
statements = st.tuples(st.integers(0, NAMES), st.booleans(), st.integers(0, 4), st.sampled_from(KINDS), st.booleans())


def asked(base: int, number: int, customer: int, day: int = 0, held_out: bool = False, churn: bool = False) -> Prediction:
    return prediction(
        0,
        prediction_id=f"p{base}-{number}",
        customer_id=f"c{base}-{customer}",
        requested_at=NOON + timedelta(days=day),
        held_out=held_out,
        churn=churn,
    )


def told(number: int, by_customer: bool, churned: bool, day: int, kind: dict[str, bool], base: int) -> Outcome:
    """Return a statement about one of a few predictions, or about nobody."""
    name = {"customer_id": f"c{base}-{number}"} if by_customer and not kind else {"prediction_id": f"p{base}-{number}"}
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
        base = 10_000 + store.count_predictions()
        store.write_predictions([asked(base, n, n) for n in range(NAMES)])
        batch = [told(number, by, churned, day, kind, base) for number, churned, day, kind, by in said]
        receipts.append(Outcomes(store.engine, size).write(batch))
        tables.append((rows(store, outcomes, base), rows(store, outcome_corrections, base)))
    assert receipts[0] == receipts[1]
    assert tables[0] == tables[1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(
        st.tuples(
            *(st.integers(0, NAMES), st.booleans(), st.integers(-1, 2)),
            *(st.sampled_from((None, "10 %")), st.sampled_from((None, None, True, False))),
        ),
        max_size=9,
    ),
    named=st.lists(st.tuples(st.integers(0, NAMES - 1), st.integers(-1, 2), st.booleans()), max_size=6),
    piece_rows=st.integers(1, 4),
)
def test_contacts_in_pieces_are_those_at_once(
    store: Store, said: list[Any], named: list[tuple[int, int, bool]], piece_rows: int
) -> None:
    receipts, tables = [], []
    for size in (100, piece_rows):
        base = 10_000 + store.count_predictions()
        store.write_predictions([asked(base, n, n) for n in range(NAMES)])
        store.write_predictions([asked(base, NAMES + 1 + at, *one, churn=True) for at, one in enumerate(named)])
        batch = [
            Contact(
                NOON + timedelta(days=day),
                offer=offer,
                opt_out=opt_out,
                **{"customer_id" if by else "prediction_id": f"{'cp'[not by]}{base}-{n}"},
            )
            for n, by, day, offer, opt_out in said
        ]
        receipts.append(Contacts(store.engine, size).write(batch))
        tables.append((rows(store, contacts, base), [store.opted_out([f"c{base}-{n}"]) != set() for n in range(NAMES + 1)]))
    assert receipts[0] == receipts[1]
    assert tables[0] == tables[1]
