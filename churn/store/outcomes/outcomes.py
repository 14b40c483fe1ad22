"""Outcomes in the store: each at most once for a prediction, with a copy of what performance is measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from churn.store.database.asked import asked, rows_asked
from churn.store.database.column_types import UtcTime
from churn.store.database.engine import lock_for_writing, translated
from churn.store.database.pieces import PIECE_ROWS, in_pieces
from churn.store.outcomes.corrections import apply_corrections, find_withdrawn
from churn.store.outcomes.count import count_outcomes
from churn.store.outcomes.rows import insert_rows, lock_predictions, outcomes_of
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.tables import outcomes, predictions


class Outcomes:
    """The outcomes of one database. Each method raises StoreError if it fails; but for `write`, it is one transaction."""

    def __init__(self, engine: sa.Engine, piece_rows: int = PIECE_ROWS) -> None:
        self._engine, self._piece_rows = engine, piece_rows

    def write(self, batch: Sequence[Outcome], /) -> OutcomeReceipt:
        """Store outcomes. The same again changes nothing; of two that differ the first stays, unless the other corrects it.

        A list is stored in pieces, between which others write: if it fails, those before stay, and it is sent again.
        """
        plain = [n for n, one in enumerate(batch) if not _revises(one)]
        # What is corrected may stand behind its correction, and corrections count by when they were observed.
        revised = sorted((n for n, one in enumerate(batch) if _revises(one)), key=lambda n: (batch[n].observed_at, n))
        done = OutcomeReceipt()
        for numbers in (plain, revised):

            def write(connection: sa.Connection, some: Sequence[int]) -> tuple[Sequence[int], OutcomeReceipt]:
                return some, insert_outcomes(connection, [batch[n] for n in some])

            for some, receipt in in_pieces(self._engine, numbers, write, self._piece_rows):
                done = _added(done, receipt, some)
        return replace(done, unknown=sorted(done.unknown), conflicting=sorted(done.conflicting))

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
    lock_for_writing(connection)
    revised = {n for n, outcome in enumerate(batch) if _revises(outcome)}
    answered = lock_predictions(connection, [i for i in ids if i is not None], alone=bool(revised))
    found = {n: i for n, i in enumerate(ids) if i in answered}
    candidates: dict[str, Outcome] = {}
    for n, prediction_id in found.items():
        if n not in revised:
            candidates.setdefault(prediction_id, batch[n])
    # What was withdrawn is not known again because an old list is sent again.
    withdrawn = find_withdrawn(connection, list(candidates))
    new = insert_rows(connection, {i: o for i, o in candidates.items() if i not in withdrawn})
    others = outcomes_of(connection, [i for i in candidates if i not in new])
    churned = {i: stored.churned for i, stored in others.items()}
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
    named = {(one.customer_id, one.observed_at) for one in batch if one.prediction_id is None and one.customer_id is not None}
    of_customer: dict[tuple[str | None, datetime], str] = {}
    if named:
        found = connection.execute(_newest_predictions(connection.dialect.name), rows_asked(sorted(named)))
        of_customer = {(name, at): prediction_id for name, at, prediction_id in found}
    return [of_customer.get((o.customer_id, o.observed_at)) if o.prediction_id is None else o.prediction_id for o in batch]


@cache
def _newest_predictions(dialect: str) -> sa.Select[Any]:
    p, told = predictions.c, asked(dialect, {"customer_id": sa.String(), "observed_at": UtcTime()}).c
    newest = (
        sa.select(p.prediction_id)
        .where(p.customer_id == told.customer_id, p.requested_at <= told.observed_at)
        .order_by(p.requested_at.desc(), p.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    return sa.select(told.customer_id, told.observed_at, newest)


def _revises(outcome: Outcome) -> bool:
    return outcome.corrects or outcome.withdrawn


def _added(done: OutcomeReceipt, piece: OutcomeReceipt, numbers: Sequence[int]) -> OutcomeReceipt:
    """Add what became of a piece, whose items have these numbers in the list."""
    return OutcomeReceipt(
        accepted=done.accepted + piece.accepted,
        duplicates=done.duplicates + piece.duplicates,
        unknown=[*done.unknown, *(numbers[n] for n in piece.unknown)],
        conflicting=[*done.conflicting, *(numbers[n] for n in piece.conflicting)],
        corrected=done.corrected + piece.corrected,
    )
