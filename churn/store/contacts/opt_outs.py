"""Customers who want no contacts. Kept under a digest of their id, so that it outlives the erasure of all else about them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.tables import opt_outs


class OptOuts:
    """The opt-outs of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self, customer_ids: Sequence[str]) -> set[str]:
        """Return which of these customers want no contacts."""
        with translated(), self._engine.connect() as connection:
            said = read_opt_outs(connection, customer_ids)
        return {customer_id for customer_id, (opted_out, _) in said.items() if opted_out}

    def count(self) -> int:
        """Return how many customers want no contacts."""
        query = sa.select(sa.func.count()).select_from(opt_outs).where(opt_outs.c.opted_out)
        with translated(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())


def read_opt_outs(connection: sa.Connection, customer_ids: Iterable[str]) -> dict[str, tuple[bool, datetime]]:
    """Return what customers said last about contacts.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    customer_ids : iterable of str
        As the store has them: pseudonyms, if there are any.

    Returns
    -------
    dict
        Customer id to whether they want no contacts, and when they said so; those who said nothing are left out.
    """
    by_digest = {digest_of(customer_id): customer_id for customer_id in customer_ids}
    found: dict[str, tuple[bool, datetime]] = {}
    for chunk in chunks(list(by_digest)):
        query = sa.select(opt_outs.c.customer, opt_outs.c.opted_out, opt_outs.c.said_at).where(opt_outs.c.customer.in_(chunk))
        found |= {by_digest[row.customer]: (row.opted_out, row.said_at) for row in connection.execute(query)}
    return found


def write_opt_outs(connection: sa.Connection, said: Mapping[str, tuple[bool, datetime]]) -> None:
    """Store what customers said about contacts; what they said last stays, in whichever order it arrives.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    said : mapping
        Customer id to whether they want no contacts, and when they said so.
    """
    if not said:
        return
    rows = [
        {"customer": digest_of(customer_id), "opted_out": opted_out, "said_at": said_at}
        for customer_id, (opted_out, said_at) in said.items()
    ]
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(opt_outs)
    new, old = insert.excluded, opt_outs.c
    # Of two that were said at one moment the careful one counts.
    later = sa.or_(new.said_at > old.said_at, sa.and_(new.said_at == old.said_at, new.opted_out, ~old.opted_out))
    update = insert.on_conflict_do_update(
        index_elements=["customer"], set_={"opted_out": new.opted_out, "said_at": new.said_at}, where=later
    )
    # In one order everywhere, so that two writers never wait for each other.
    connection.execute(update, sorted(rows, key=lambda row: str(row["customer"])))


def digest_of(customer_id: str) -> str:
    """Return the digest that stands for a customer among the opt-outs, 64 hexadecimal digits.

    Examples
    --------
    >>> digest_of("c-1")[:8]
    'd1b434f3'
    """
    return hashlib.sha256(f"opt-out:{customer_id}".encode()).hexdigest()
