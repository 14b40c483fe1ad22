"""Which group each customer is in, by sensitive columns: sent apart from requests, and read by the monitor alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import sqlalchemy as sa

from churn.clock import now
from churn.store.database.chunks import chunks
from churn.store.database.engine import lock_for_writing, translated
from churn.store.database.insert import insert_into
from churn.store.database.pieces import PIECE_ROWS, in_pieces
from churn.store.tables import sensitive_levels


class SensitiveLevel(NamedTuple):
    """What is known of a customer by one sensitive column; None: nothing any more."""

    customer_id: str
    column: str
    level: str | None


@dataclass(frozen=True, slots=True)
class LevelsReceipt:
    """What became of a list of levels: how many were not known before, were another one, are not known any more, or the same."""

    new: int = 0
    changed: int = 0
    removed: int = 0
    same: int = 0


class SensitiveLevels:
    """The sensitive levels of one database. Each method raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine, piece_rows: int = PIECE_ROWS) -> None:
        self._engine, self._piece_rows = engine, piece_rows

    def write(self, said: Iterable[SensitiveLevel]) -> LevelsReceipt:
        """Store levels in pieces, each a transaction. If one fails, those before stay: what is sent again changes nothing.

        Parameters
        ----------
        said : iterable of SensitiveLevel
            Customers by the names that the store knows them by, each column of theirs once.

        Returns
        -------
        LevelsReceipt

        Raises
        ------
        StoreError
            If the store is away.
        """
        # In one order everywhere, so that two writers never wait for each other.
        ordered = sorted(said, key=lambda one: one[:2])
        pieces = list(in_pieces(self._engine, ordered, _write_piece, self._piece_rows))
        return LevelsReceipt(*(sum(counted) for counted in zip(*map(astuple, pieces), strict=True)))

    def read(self, customer_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return what is known of some customers: levels by column, by customer. Those of whom nothing is known are left out."""
        found: dict[str, dict[str, str]] = {}
        with translated(), self._engine.connect() as connection:
            for (customer_id, column), level in _known(connection, customer_ids).items():
                found.setdefault(customer_id, {})[column] = level
        return found


def _write_piece(connection: sa.Connection, said: Sequence[SensitiveLevel]) -> LevelsReceipt:
    lock_for_writing(connection)
    before = _known(connection, sorted({one.customer_id for one in said}))
    received_at = now()
    written, removed, new, same = [], [], 0, 0
    for one in said:
        key, known = one[:2], before.get(one[:2])
        if one.level == known:
            same += 1
        elif one.level is None:
            removed.append(key)
        else:
            new += known is None
            written.append({"customer_id": key[0], "column_name": key[1], "level": one.level, "received_at": received_at})
    c = sensitive_levels.c
    if written:
        insert = insert_into(connection.dialect.name, sensitive_levels)
        update = {name: insert.excluded[name] for name in ("level", "received_at")}
        connection.execute(insert.on_conflict_do_update(index_elements=["customer_id", "column_name"], set_=update), written)
    for customer_id, column in removed:
        connection.execute(sa.delete(sensitive_levels).where(c.customer_id == customer_id, c.column_name == column))
    return LevelsReceipt(new=new, changed=len(written) - new, removed=len(removed), same=same)


def _known(connection: sa.Connection, customer_ids: Sequence[str]) -> dict[tuple[str, str], str]:
    c = sensitive_levels.c
    found: dict[tuple[str, str], str] = {}
    for chunk in chunks(customer_ids):
        query = sa.select(c.customer_id, c.column_name, c.level).where(c.customer_id.in_(chunk))
        found |= {(row[0], row[1]): row[2] for row in connection.execute(query)}
    return found
