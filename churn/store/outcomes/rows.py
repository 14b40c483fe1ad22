"""Rows of outcomes: how they are inserted with a copy of what performance is measured on, at most one for a prediction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from churn.clock import now
from churn.store.database.asked import asked, rows_asked
from churn.store.database.column_types import UtcTime
from churn.store.database.insert import insert_into
from churn.store.records import Outcome
from churn.store.tables import outcomes, predictions

# What an outcome keeps of its prediction.
_COPIED = ("customer_id", "model_version", "requested_at", "churn_probability", "threshold")


class Stored(NamedTuple):
    """An outcome as it is stored."""

    churned: bool
    observed_at: datetime
    received_at: datetime
    seq: int


def insert_rows(connection: sa.Connection, said: Mapping[str, Outcome]) -> set[str]:
    """Insert the outcomes of predictions that have none.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    said : mapping of str to Outcome
        By the id of a prediction that is there, and locked.

    Returns
    -------
    set of str
        The ids of those that had none.
    """
    if not said:
        return set()
    rows = [(place, i, one.churned, one.observed_at) for place, (i, one) in enumerate(said.items())]
    once = _insert_once(connection.dialect.name)
    return {str(i) for i in connection.execute(once, rows_asked(rows) | {"received_at": now()}).scalars()}


@cache
def _insert_once(dialect: str) -> Any:
    p, o = predictions.c, outcomes.c
    told = asked(
        dialect, {"place": sa.Integer(), "prediction_id": sa.String(), "churned": sa.Boolean(), "observed_at": UtcTime()}
    )
    columns = {name: told.c[name] for name in ("prediction_id", "churned", "observed_at")}
    columns |= {"received_at": sa.bindparam("received_at", type_=UtcTime()), "prediction_seq": p.seq}
    columns |= {name: p[name] for name in _COPIED}
    whole = sa.select(*columns.values()).join_from(told, predictions, p.prediction_id == told.c.prediction_id)
    insert = insert_into(dialect, outcomes)
    # (SQLite takes ON CONFLICT for a part of a join unless a WHERE stands between.)
    chosen = insert.from_select(list(columns), whole.where(sa.true()).order_by(told.c.place))
    return chosen.on_conflict_do_nothing(index_elements=["prediction_id"]).returning(o.prediction_id)


def lock_predictions(connection: sa.Connection, ids: Sequence[str], *, alone: bool) -> dict[str, str]:
    """Lock predictions until the transaction ends, and return which model versions answered them.

    They must not be removed before, and of two replicas one waits for the other. In one order everywhere, so that each never
    waits for the other.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    ids : sequence of str
    alone : bool
        Whether nobody else may store an outcome of them meanwhile: for who reads an outcome before it is changed.

    Returns
    -------
    dict of str to str
        Of those that exist, by id.
    """
    locked = _lock(connection.dialect.name, alone)
    return {row[0]: row[1] for row in connection.execute(locked, rows_asked([i] for i in set(ids)))}


@cache
def _lock(dialect: str, alone: bool) -> sa.Select[tuple[str, str]]:
    p = predictions.c
    wanted = sa.select(asked(dialect, {"prediction_id": sa.String()}).c.prediction_id)
    held = sa.select(p.prediction_id, p.model_version).where(p.prediction_id.in_(wanted)).order_by(p.prediction_id)
    return held.with_for_update(key_share=not alone)


def outcomes_of(connection: sa.Connection, ids: Iterable[str]) -> dict[str, Stored]:
    """Return the outcomes of predictions, by the prediction's id.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    ids : iterable of str

    Returns
    -------
    dict of str to Stored
    """
    found = connection.execute(_stored(connection.dialect.name), rows_asked([i] for i in ids))
    return {row[0]: Stored(*row[1:]) for row in found}


@cache
def _stored(dialect: str) -> sa.Select[Any]:
    o = outcomes.c
    wanted = sa.select(asked(dialect, {"prediction_id": sa.String()}).c.prediction_id)
    return sa.select(o.prediction_id, o.churned, o.observed_at, o.received_at, o.seq).where(o.prediction_id.in_(wanted))
