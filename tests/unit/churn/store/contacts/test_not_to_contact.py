"""Whom a campaign leaves alone: who opted out, and who was contacted lately."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churn.store.contacts.not_to_contact import NotToContact
from churn.store.contacts.records import Contact
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, prediction

DAY = timedelta(days=1)
EVERYBODY = [f"c{n}" for n in range(6)]


@pytest.fixture
def asked(store: Store) -> NotToContact:
    store.write_predictions([prediction(n) for n in range(6)])
    return NotToContact(store.engine)


def contacted(store: Store, n: int, after: timedelta, campaign: str = "may") -> None:
    store.write_contacts([Contact(NOON + after, customer_id=f"c{n}", campaign=campaign)])


def test_nobody_is_left_alone_without_a_reason(asked: NotToContact) -> None:
    assert asked.read(EVERYBODY, NOON) == {}
    assert asked.read([], NOON) == {}


def test_a_contact_counts_from_the_moment_on_that_is_asked_about(store: Store, asked: NotToContact) -> None:
    for n, after in enumerate((timedelta(0), timedelta(microseconds=-1), DAY)):
        contacted(store, n, 2 * DAY + after)
    assert asked.read(EVERYBODY, NOON + 2 * DAY) == {"c0": "contacted_lately", "c2": "contacted_lately"}
    assert asked.read(["c1", "c2"], NOON + 2 * DAY) == {"c2": "contacted_lately"}, "only those who are asked about"


def test_a_campaign_that_is_planned_again_does_not_hold_up_itself(store: Store, asked: NotToContact) -> None:
    contacted(store, 0, DAY)
    contacted(store, 1, DAY, "june")
    contacted(store, 2, DAY)
    contacted(store, 2, DAY, "june")
    assert asked.read(EVERYBODY, NOON, campaign="may") == {"c1": "contacted_lately", "c2": "contacted_lately"}
    assert set(asked.read(EVERYBODY, NOON)) == {"c0", "c1", "c2"}


def test_an_opt_out_comes_first_and_holds_whatever_the_time_until_it_is_taken_back(store: Store, asked: NotToContact) -> None:
    contacted(store, 0, DAY)
    store.write_contacts([Contact(NOON - 400 * DAY, customer_id=f"c{n}", opt_out=True) for n in (0, 1, 2)])
    store.write_contacts([Contact(NOON - 300 * DAY, customer_id="c2", opt_out=False)])
    assert asked.read(EVERYBODY, NOON) == {"c0": "opted_out", "c1": "opted_out"}
    assert asked.read(EVERYBODY, NOON, campaign="may") == {"c0": "opted_out", "c1": "opted_out"}


def test_a_list_of_any_length_is_asked_about(store: Store, asked: NotToContact) -> None:
    contacted(store, 5, DAY)
    store.write_contacts([Contact(NOON, customer_id="c4", opt_out=True)])
    many = [f"nobody-{n}" for n in range(40_000)]
    assert asked.read([*many, "c5", *many, "c4"], NOON) == {"c5": "contacted_lately", "c4": "opted_out"}
