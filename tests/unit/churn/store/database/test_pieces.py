"""Whoever writes much gives SQLite's only write lock back between pieces: another writer, who never waits, has its turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from churn.store import retention
from churn.store.contacts.records import Contact
from churn.store.database.pieces import PIECE_ROWS
from churn.store.records import Outcome
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, OBSERVED, outcome, prediction

MANY = 4 * PIECE_ROWS
LATER = OBSERVED + timedelta(days=1)
TABLES = ("predictions", "outcomes", "outcome_corrections", "contacts", "opt_outs")
Write = Callable[[Store], Any]


class OtherWriter:
    """Takes the write lock, without waiting, whenever a connection is given back; notes how many rows it sees of a table."""

    def __init__(self, store: Store) -> None:
        self._connection = sqlite3.connect(str(store.engine.url.database), timeout=0, isolation_level=None)
        self.seen = [self._count()]
        sa.event.listen(store.engine, "checkin", self._write)

    def _write(self, _connection: Any, _record: Any) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("COMMIT")
        self.seen.append(self._count())

    def _count(self) -> list[int]:
        return [self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES]  # noqa: S608 -- our own names

    def most_at_once(self) -> int:
        """Return how many rows of one table came or went between two turns."""
        steps = zip(self.seen, self.seen[1:], strict=False)
        return max(abs(after - before) for one, other in steps for before, after in zip(one, other, strict=True))

    def all_in_all(self) -> int:
        return max(abs(after - before) for before, after in zip(self.seen[0], self.seen[-1], strict=True))


def outcomes(store: Store) -> None:
    store.write_outcomes([outcome(f"p{n}") for n in range(MANY)])


def outcomes_by_customer(store: Store) -> None:
    store.write_outcomes([Outcome(True, OBSERVED, customer_id=f"c{n}") for n in range(MANY)])


def corrections(store: Store) -> None:
    store.write_outcomes([replace(outcome(f"p{n}"), corrects=True) for n in range(MANY)])


def corrections_of_one(store: Store) -> None:
    moments = (OBSERVED + timedelta(seconds=n) for n in range(MANY))
    store.write_outcomes([Outcome(n % 2 == 0, at, "p1", corrects=True) for n, at in enumerate(moments)])


def withdrawals(store: Store) -> None:
    store.write_outcomes([Outcome(True, LATER, f"p{n}", withdrawn=True) for n in range(MANY)])


def contacts(store: Store) -> None:
    store.write_contacts([Contact(OBSERVED, customer_id=f"c{n}", campaign="may") for n in range(MANY)])


def contacts_by_prediction(store: Store) -> None:
    store.write_contacts([Contact(OBSERVED, prediction_id=f"p{n}", campaign="may") for n in range(MANY)])


def opt_outs(store: Store) -> None:
    store.write_contacts([Contact(OBSERVED, customer_id=f"c{n}", opt_out=True) for n in range(MANY)])


def prune(store: Store) -> None:
    retention.prune(store.engine, LATER, even_unjudged=True)


@pytest.mark.parametrize(
    "write",
    [
        outcomes,
        outcomes_by_customer,
        corrections,
        corrections_of_one,
        withdrawals,
        contacts,
        contacts_by_prediction,
        opt_outs,
        prune,
    ],
)
def test_a_long_list_lets_others_write(store: Store, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", PIECE_ROWS)
    store.write_predictions([prediction(n) for n in range(MANY)])
    other = OtherWriter(store)
    write(store)
    assert other.all_in_all() >= MANY - 1, "nothing was written"
    assert other.most_at_once() <= PIECE_ROWS


def test_a_plan_of_a_campaign_is_stored_whole(store: Store) -> None:
    other = OtherWriter(store)
    store.write_contacts_whole([Contact(OBSERVED, customer_id=f"c{n}", campaign="may") for n in range(MANY)])
    assert [seen[TABLES.index("contacts")] for seen in other.seen] == [0, MANY]


def test_a_list_that_was_cut_off_is_completed_when_it_is_sent_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_predictions([prediction(n, requested_at=NOON) for n in range(MANY)])
    said = [outcome(f"p{n}") for n in range(MANY)]

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("churn.store.database.pieces.give_turn", end)
        with pytest.raises(KeyboardInterrupt):
            store.write_outcomes(said)
    assert store.count_outcomes() == PIECE_ROWS
    again = store.write_outcomes(said)
    assert (again.accepted, again.duplicates, again.unknown, again.conflicting) == (MANY - PIECE_ROWS, PIECE_ROWS, [], [])
