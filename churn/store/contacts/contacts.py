"""Contacts in the store: which customers were acted on, by which campaign, and when. Each at most once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from churn.clock import now
from churn.store.contacts.opt_outs import read_opt_outs, write_opt_outs
from churn.store.contacts.records import Campaign, Contact, ContactReceipt
from churn.store.database.asked import asked, rows_asked
from churn.store.database.chunks import chunks
from churn.store.database.column_types import UtcTime
from churn.store.database.engine import lock_for_writing, translated
from churn.store.database.insert import insert_into
from churn.store.database.pieces import PIECE_ROWS, in_pieces
from churn.store.tables import campaigns, contacts, predictions


class _Key(NamedTuple):
    """What makes two contacts the same: the customer or, where the prediction names nobody, the prediction; when; by which."""

    customer_id: str | None
    prediction_id: str | None
    contacted_at: datetime
    campaign: str


class _Seen(NamedTuple):
    """When a customer was first asked about; and since when those whom models named were held out or not, one after another."""

    first: datetime
    held_out: list[tuple[datetime, bool]]


class Contacts:
    """The contacts of one database. Each method raises StoreError if it fails; but for `write`, it is one transaction."""

    def __init__(self, engine: sa.Engine, piece_rows: int = PIECE_ROWS) -> None:
        self._engine, self._piece_rows = engine, piece_rows

    def write(self, batch: Sequence[Contact], /) -> ContactReceipt:
        """Store contacts and opt-outs. The same again changes nothing; of two offers in one contact the first stays.

        A list is stored in pieces, between which others write: if it fails, those before stay, and it is sent again.
        """
        done, first = ContactReceipt(), 0
        for size, receipt in in_pieces(self._engine, batch, lambda *of: (len(of[1]), insert_contacts(*of)), self._piece_rows):
            done = _added(done, receipt, first)
            first += size
        return done

    def write_whole(self, batch: Sequence[Contact], /) -> ContactReceipt:
        """Store contacts in one transaction: all or none. Others wait until it ends."""
        with translated(), self._engine.begin() as connection:
            return insert_contacts(connection, batch)

    def campaigns(self, *, newest: int = 100) -> list[Campaign]:
        """Return the campaigns with the newest contacts, newest first; contacts without a campaign are one without a name."""
        query = sa.select(campaigns).order_by(campaigns.c.last_contact_at.desc(), campaigns.c.name).limit(newest)
        with translated(), self._engine.connect() as connection:
            return [Campaign(**row) for row in connection.execute(query).mappings()]

    def members(self, campaign: str) -> set[str]:
        """Return the customers that a campaign contacted, as far as contacts name them."""
        c = contacts.c
        query = sa.select(c.customer_id).where(c.campaign == campaign, c.customer_id.is_not(None)).distinct()
        with translated(), self._engine.connect() as connection:
            return {str(name) for name in connection.execute(query).scalars()}


def insert_contacts(connection: sa.Connection, batch: Sequence[Contact]) -> ContactReceipt:
    """Store contacts and opt-outs within a transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    batch : sequence of Contact

    Returns
    -------
    ContactReceipt
    """
    customers = _customers_of(connection, [one.prediction_id for one in batch if one.prediction_id is not None])
    keys: dict[int, _Key] = {}
    said: dict[int, tuple[str, bool, datetime]] = {}
    for at, one in enumerate(batch):
        if one.prediction_id is not None and one.prediction_id not in customers:
            continue
        customer_id = one.customer_id if one.prediction_id is None else customers[one.prediction_id]
        if one.opt_out is None:
            keys[at] = _Key(customer_id, None if customer_id else one.prediction_id, one.contacted_at, one.campaign)
        elif customer_id is not None:
            said[at] = customer_id, one.opt_out, one.contacted_at
    seen = _seen(connection, {key.customer_id for key in keys.values() if key.customer_id})
    lock_for_writing(connection)
    offers: dict[_Key, str | None] = {}
    for at, key in keys.items():
        offers.setdefault(key, batch[at].offer)
    new = _insert(connection, offers)
    stored = {key: offers[key] for key in new} | _offers_of(connection, [key for key in offers if key not in new])
    changed = _opt_out(connection, list(said.values()))
    conflicting = [at for at, key in keys.items() if stored[key] != batch[at].offer]
    accepted = len(new) + changed
    return ContactReceipt(
        accepted=accepted,
        duplicates=len(keys) + len(said) - len(conflicting) - accepted,
        unknown=[at for at in range(len(batch)) if at not in keys and at not in said],
        conflicting=conflicting,
        unasked=[
            at for at, key in keys.items() if batch[at].prediction_id is None and not _asked(seen.get(key.customer_id), key)
        ],
        held_out=[at for at, key in keys.items() if _leaks(seen.get(key.customer_id), key)],
    )


def _customers_of(connection: sa.Connection, prediction_ids: Sequence[str]) -> dict[str, str | None]:
    """Return the customers that predictions name; predictions that do not exist are left out."""
    found: dict[str, str | None] = {}
    for chunk in chunks(sorted(set(prediction_ids))):
        query = sa.select(predictions.c.prediction_id, predictions.c.customer_id)
        found.update((row[0], row[1]) for row in connection.execute(query.where(predictions.c.prediction_id.in_(chunk))))
    return found


def _insert(connection: sa.Connection, offers: dict[_Key, str | None]) -> set[_Key]:
    """Insert the contacts that are not there, count them for their campaigns, and return them."""
    if not offers:
        return set()
    received_at = now()
    # In one order everywhere, so that two writers never wait for each other.
    ordered = sorted(offers, key=lambda key: tuple(map(str, key)))
    rows = [key._asdict() | {"offer": offers[key], "received_at": received_at} for key in ordered]
    insert = insert_into(connection.dialect.name, contacts)
    once = insert.on_conflict_do_nothing().returning(*(contacts.c[name] for name in _Key._fields))
    new = {_Key(*row) for row in connection.execute(once, rows)}
    _count(connection, new)
    return new


def _count(connection: sa.Connection, new: set[_Key]) -> None:
    by_campaign: dict[str, list[datetime]] = {}
    for key in new:
        by_campaign.setdefault(key.campaign, []).append(key.contacted_at)
    rows = [
        {"name": name, "contacts": len(times), "first_contact_at": min(times), "last_contact_at": max(times)}
        for name, times in sorted(by_campaign.items())
    ]
    if not rows:
        return
    insert = insert_into(connection.dialect.name, campaigns)
    old, added = campaigns.c, insert.excluded
    first = sa.case((added.first_contact_at < old.first_contact_at, added.first_contact_at), else_=old.first_contact_at)
    last = sa.case((added.last_contact_at > old.last_contact_at, added.last_contact_at), else_=old.last_contact_at)
    counted = {"contacts": old.contacts + added.contacts, "first_contact_at": first, "last_contact_at": last}
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=counted), rows)


def _offers_of(connection: sa.Connection, keys: Sequence[_Key]) -> dict[_Key, str | None]:
    """Return the offers of contacts that are stored."""
    found: dict[_Key, str | None] = {}
    for named in ("customer_id", "prediction_id"):
        if rows := [(name, *key[2:]) for key in keys if (name := getattr(key, named)) is not None]:
            same = connection.execute(_same_contacts(connection.dialect.name, named), rows_asked(rows))
            found |= {_Key(*row[:4]): row[4] for row in same}
    return found


@cache
def _same_contacts(dialect: str, named: str) -> sa.Select[Any]:
    """Return the query for contacts by their whole keys: a customer may have been contacted very often."""
    c = contacts.c
    told = asked(dialect, {named: sa.String(), "contacted_at": UtcTime(), "campaign": sa.String()})
    same = c[named] == told.c[named], c.contacted_at == told.c.contacted_at, c.campaign == told.c.campaign
    return sa.select(c.customer_id, c.prediction_id, c.contacted_at, c.campaign, c.offer).join_from(
        told, contacts, sa.and_(*same)
    )


def _opt_out(connection: sa.Connection, said: Sequence[tuple[str, bool, datetime]]) -> int:
    """Store what customers said about contacts; return how many of these statements say something new, one after another."""
    known = read_opt_outs(connection, {customer_id for customer_id, _, _ in said})
    last: dict[str, tuple[bool, datetime]] = {}
    new = 0
    for customer_id, opted_out, said_at in said:
        before = known.get(customer_id)
        if before is None or (said_at, opted_out) > (before[1], before[0]):
            known[customer_id] = last[customer_id] = opted_out, said_at
            new += 1
    write_opt_outs(connection, last)
    return new


def _seen(connection: sa.Connection, customers: Collection[str]) -> dict[str | None, _Seen]:
    """Return what the store knows of customers."""
    given, found = rows_asked([name] for name in customers), dict[str | None, _Seen]()
    if customers:
        first, changes = _sightings(connection.dialect.name)
        found |= {row[0]: _Seen(row[1], []) for row in connection.execute(first, given)}
        for customer_id, since, held_out in connection.execute(changes, given):
            found[customer_id].held_out.append((since, held_out))
    return found


@cache
def _sightings(dialect: str) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return the queries for when customers were first asked about, and for when those named came to be held out or not.

    Only changes are read, and a customer's predictions once: one may have been named, and contacted, very often.
    """
    p = predictions.c
    of_customers = p.customer_id.in_(sa.select(asked(dialect, {"customer_id": sa.String()}).c.customer_id))
    order = p.requested_at, p.seq
    before = sa.func.lag(p.held_out).over(partition_by=p.customer_id, order_by=order).label("before")
    named = sa.select(p.customer_id, *order, p.held_out, before).where(of_customers, p.churn).subquery().c
    changes = sa.select(named.customer_id, named.requested_at, named.held_out).where(
        named.before.is_distinct_from(named.held_out)
    )
    first = sa.select(p.customer_id, sa.func.min(p.requested_at)).where(of_customers).group_by(p.customer_id)
    return first, changes.order_by(named.customer_id, named.requested_at, named.seq)


def _asked(seen: _Seen | None, key: _Key) -> bool:
    return seen is not None and seen.first <= key.contacted_at


def _leaks(seen: _Seen | None, key: _Key) -> bool:
    """Return whether the customer was of the control group when a model last named them until then."""
    if seen is None:
        return False
    changes = bisect_right(seen.held_out, key.contacted_at, key=itemgetter(0))
    return changes > 0 and seen.held_out[changes - 1][1]


def _added(done: ContactReceipt, piece: ContactReceipt, first: int) -> ContactReceipt:
    """Add what became of a piece, whose first item has this number in the list."""
    return ContactReceipt(
        accepted=done.accepted + piece.accepted,
        duplicates=done.duplicates + piece.duplicates,
        unknown=[*done.unknown, *(first + at for at in piece.unknown)],
        conflicting=[*done.conflicting, *(first + at for at in piece.conflicting)],
        unasked=[*done.unasked, *(first + at for at in piece.unasked)],
        held_out=[*done.held_out, *(first + at for at in piece.held_out)],
    )
