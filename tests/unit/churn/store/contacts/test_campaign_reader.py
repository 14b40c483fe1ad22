"""Whom a campaign was about, once each, and by the prediction that named them."""

from __future__ import annotations

from datetime import timedelta

from churn.store.contacts.records import Contact
from churn.store.records import Outcome
from churn.store.store import Store
from tests.unit.churn.store.contacts.row_by_row import CampaignCustomers, Flagged, read_campaign
from tests.unit.churn.store.rows import NOON, OBSERVED, prediction

LATER = NOON + timedelta(hours=1)


def fill(store: Store) -> None:
    """Three days in which 0 to 5 were named, 4 and 5 held out; 6 was not named; 7 was named a week before."""
    store.write_predictions([prediction(n, churn=n < 6, held_out=n in (4, 5)) for n in range(7)])
    store.write_predictions([prediction(7, churn=True, requested_at=NOON - timedelta(days=7))])
    store.write_predictions([prediction(10, customer_id="c1", churn=True, requested_at=NOON + timedelta(seconds=30))])
    store.write_predictions([prediction(11, customer_id=None, churn=True)])


def test_who_was_named_in_its_time_once_each(store: Store) -> None:
    fill(store)
    store.write_outcomes([Outcome(n == 4, OBSERVED, f"p{n}") for n in (0, 1, 4)])
    store.write_contacts([Contact(LATER, customer_id=f"c{n}", campaign="may") for n in (0, 5, 6)])
    store.write_contacts([Contact(LATER, customer_id=f"c{n}", campaign="june") for n in (1, 2, 99)])
    found = read_campaign(store, "may")
    assert found == CampaignCustomers(
        first_answer_at=NOON,
        last_answer_at=NOON + timedelta(seconds=6),
        flagged=[
            Flagged("c0", 0.00, held_out=False, contacted=True, churned=False),
            Flagged("c1", 0.01, held_out=False, contacted=False, churned=False),
            Flagged("c2", 0.02, held_out=False, contacted=False, churned=None),
            Flagged("c3", 0.03, held_out=False, contacted=False, churned=None),
            Flagged("c4", 0.04, held_out=True, contacted=False, churned=True),
            Flagged("c5", 0.05, held_out=True, contacted=True, churned=None),
        ],
        not_flagged=1,
        other_campaigns=2,
    )


def test_a_campaign_that_nobody_knows_is_none(store: Store) -> None:
    fill(store)
    assert read_campaign(store, "may") is None


def test_contacts_of_strangers_have_nobody_to_be_compared_with(store: Store) -> None:
    fill(store)
    store.write_contacts([Contact(LATER, customer_id=f"stranger-{n}", campaign="may") for n in range(3)])
    assert read_campaign(store, "may") == CampaignCustomers(None, None, [], 3, 0)
