"""Customers who want no contacts. Kept under a digest of their id, so that it outlives the erasure of all else about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa

from churn.clock import CLOCK_SKEW, now
from churn.store.contacts.opted_out import Prefixes, opt_out_digest, prefixes
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.database.insert import insert_into
from churn.store.tables import opt_outs

# Rows that are Python's objects at the same time.
READ_AT_ONCE = 10_000


class OptOutState(NamedTuple):
    """What a reader has seen: the newest moment at which something was received, and how much within the overlap before it.

    What is received is not seen before its transaction ends, and clocks of writers differ: so long before the newest moment is
    read again.
    """

    newest: datetime
    recent: int


class OptOutChanges(NamedTuple):
    """What was said since: who wants no contacts, and who may be contacted again, as numbers of `OptedOut`."""

    wanting_none: Prefixes
    willing: Prefixes
    state: OptOutState | None


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

    def changes(self, seen: OptOutState | None) -> OptOutChanges | None:
        """Return what customers said since `seen`; or all that they said last.

        Parameters
        ----------
        seen : OptOutState or None
            Of the changes read before; None: nothing was read.

        Returns
        -------
        OptOutChanges or None
            None: nothing was said since.
        """
        c = opt_outs.c
        since = None if seen is None else seen.newest - CLOCK_SKEW
        with translated(), self._engine.connect() as connection:
            newest = connection.execute(sa.select(sa.func.max(c.received_at))).scalar_one()
            if newest is None:
                return None if seen is None else OptOutChanges(prefixes([]), prefixes([]), None)
            recent = sa.select(sa.func.count()).select_from(opt_outs).where(c.received_at >= newest - CLOCK_SKEW)
            state = OptOutState(newest, int(connection.execute(recent).scalar_one()))
            if state == seen:
                return None
            query = sa.select(c.customer, c.opted_out)
            if since is not None:
                query = query.where(c.received_at >= since)
            parts: list[tuple[Prefixes, Prefixes]] = []
            for rows in connection.execution_options(yield_per=READ_AT_ONCE).execute(query).partitions():
                # Texts of a million at once would take a hundred megabytes.
                parts.append((prefixes(who for who, out in rows if out), prefixes(who for who, out in rows if not out)))
        none = [np.zeros(0, np.uint64)]
        wanting, willing = (np.concatenate(none + [part[at] for part in parts]) for at in range(2))
        return OptOutChanges(wanting, willing, state)


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
    by_digest = {opt_out_digest(customer_id): customer_id for customer_id in customer_ids}
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
    received_at = now()
    rows = [
        {"customer": opt_out_digest(customer_id), "opted_out": opted_out, "said_at": said_at, "received_at": received_at}
        for customer_id, (opted_out, said_at) in said.items()
    ]
    insert = insert_into(connection.dialect.name, opt_outs)
    new, old = insert.excluded, opt_outs.c
    # Of two that were said at one moment the careful one counts.
    later = sa.or_(new.said_at > old.said_at, sa.and_(new.said_at == old.said_at, new.opted_out, ~old.opted_out))
    update = insert.on_conflict_do_update(
        index_elements=["customer"], set_={name: new[name] for name in ("opted_out", "said_at", "received_at")}, where=later
    )
    # In one order everywhere, so that two writers never wait for each other.
    connection.execute(update, sorted(rows, key=lambda row: str(row["customer"])))
