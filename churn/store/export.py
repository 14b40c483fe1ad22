"""Give out all that the store holds of one customer, for a request under data protection law."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from churn.store.contacts.opt_outs import read_opt_outs
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.tables import contacts, outcomes, predictions, sensitive_levels, shadow_predictions

# Numbers of rows: the store's own, and nothing that was said of the customer.
_INTERNAL = {"seq", "prediction_seq"}


def export_customer(engine: sa.Engine, names: Sequence[str]) -> dict[str, Any]:
    """Return all that is known of a customer.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store.
    names : sequence of str
        The customer's id, and its pseudonym if there is one.

    Returns
    -------
    dict
        JSON-ready: predictions with all values that were sent, outcomes, shadow_predictions, contacts (each a list, oldest
        first), sensitive_levels (a list, by column), and opt_out (opted_out and said_at, or None).

    Raises
    ------
    StoreError
        If the store is away.
    """
    with translated(), engine.connect() as connection:
        asked = _rows(connection, sa.select(predictions).where(predictions.c.customer_id.in_(names)).order_by(predictions.c.seq))
        ids = [row["prediction_id"] for row in asked]
        of_customer = sa.select(contacts).where(contacts.c.customer_id.in_(names)).order_by(contacts.c.contacted_at)
        levels = sa.select(sensitive_levels).where(sensitive_levels.c.customer_id.in_(names))
        said = read_opt_outs(connection, names).values()
        return {
            "predictions": asked,
            "outcomes": _of_predictions(connection, outcomes, ids),
            "shadow_predictions": _of_predictions(connection, shadow_predictions, ids),
            "contacts": _rows(connection, of_customer) + _of_predictions(connection, contacts, ids),
            "sensitive_levels": _rows(connection, levels.order_by(*sensitive_levels.primary_key.columns)),
            "opt_out": _newest(said),
        }


def _of_predictions(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for chunk in chunks(ids):
        found += _rows(connection, sa.select(table).where(table.c.prediction_id.in_(chunk)).order_by(*table.primary_key.columns))
    return found


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items() if name not in _INTERNAL}
        for row in connection.execute(query).mappings()
    ]


def _newest(said: Iterable[tuple[bool, datetime]]) -> dict[str, Any] | None:
    newest = max(said, key=lambda one: (one[1], one[0]), default=None)
    return None if newest is None else {"opted_out": newest[0], "said_at": newest[1].isoformat()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
