"""Mark outcomes in SQL: whether the customer was acted on meanwhile, and whether a model named one who was then left alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from churn.store.database.chunks import chunks
from churn.store.tables import contacts, outcomes, predictions

# As of the setting CHURN_CONTACT_EFFECT_DAYS.
CONTACT_EFFECT = timedelta(days=90)


class Marks(NamedTuple):
    """What tells whether an outcome may be learned from, of n outcomes.

    Attributes
    ----------
    acted_on : numpy.ndarray of bool, shape (n,)
        Whether a contact was in effect at some time between the prediction and its outcome.
    held_out : numpy.ndarray of float64, shape (n,)
        NaN if no model would have contacted the customer in that time, or so shortly before that the contact would still be in
        effect. 1 if one would have, and the customer was of the control group each time; else 0.
    """

    acted_on: NDArray[np.bool_]
    held_out: NDArray[np.float64]


def has_contacts(connection: sa.Connection) -> bool:
    """Return whether any contact is stored. Without one, nothing is marked, and every reader does what it did before."""
    return bool(connection.execute(sa.select(sa.exists(sa.select(contacts.c.seq)))).scalar_one())


def read_marks(connection: sa.Connection, outcome_seqs: Sequence[int], contact_effect: timedelta) -> Marks:
    """Read the marks of outcomes.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    outcome_seqs : sequence of int, length n
        Their numbers, in any order.
    contact_effect : timedelta
        How long a contact may change what a customer does.

    Returns
    -------
    Marks
        In the order of the numbers. An outcome that is gone by now counts as acted on.
    """
    o = outcomes.c
    query = sa.select(o.seq, *mark_columns(connection.dialect.name, contact_effect))
    found: dict[int, tuple[int, int | None]] = {}
    for chunk in chunks(sorted(outcome_seqs)):
        found.update((row[0], (row[1], row[2])) for row in connection.execute(query.where(o.seq.in_(chunk))))
    gone = (1, None)
    acted_on, held_out = zip(*(found.get(seq, gone) for seq in outcome_seqs), strict=True) if outcome_seqs else ((), ())
    return Marks(np.array(acted_on, dtype=np.bool_), np.array(held_out, dtype=np.float64))


def mark_columns(dialect: str, contact_effect: timedelta) -> tuple[Any, Any]:
    """Return the marks of `outcomes` as SQL, for a query that reads from this table.

    Parameters
    ----------
    dialect : str
        Of the database: sqlite or postgresql.
    contact_effect : timedelta
        As of `read_marks`.

    Returns
    -------
    acted_on, held_out
        As of `Marks`: 1 or 0; and 1, 0 or null.
    """
    o, c = outcomes.c, contacts.c
    since = _before(o.requested_at, dialect, contact_effect)
    # Each is found by an index of its own; as one condition with "or", all contacts might be read.
    contacted = [
        sa.exists(sa.select(1).where(who, c.contacted_at > since, c.contacted_at <= o.observed_at).correlate(outcomes))
        for who in (c.customer_id == o.customer_id, c.prediction_id == o.prediction_id)
    ]
    return sa.case((sa.or_(*contacted), 1), else_=0), _held_out(since)


def _held_out(since: Any) -> Any:
    row = outcomes.c
    other = predictions.alias("named")
    until = sa.case((row.observed_at < row.requested_at, row.requested_at), else_=row.observed_at)
    every = (
        sa.select(sa.func.min(sa.case((other.c.held_out, 1), else_=0)))
        .where(other.c.customer_id == row.customer_id, other.c.churn)
        .where(other.c.requested_at > since, other.c.requested_at <= until)
        .correlate(outcomes)
        .scalar_subquery()
    )
    # Of a customer without an id only this prediction is known, and nobody is held out.
    alone = sa.case((row.churn_probability >= row.threshold, 0), else_=None)
    return sa.case((row.customer_id.is_(None), alone), else_=every)


def _before(moment: Any, dialect: str, span: timedelta) -> Any:
    if dialect == "postgresql":
        return moment - sa.literal(span, sa.Interval)
    # SQLite keeps moments as texts that are ordered as they are, microseconds included; milliseconds are all that it counts in.
    return sa.func.strftime("%Y-%m-%d %H:%M:%f000", moment, f"-{span.total_seconds():.3f} seconds", type_=sa.types.NULLTYPE)
