"""Contacts are stored once for a customer, a moment and a campaign; opt-outs by what was said last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import sqlalchemy as sa

from churn.store.contacts.contacts import Contacts
from churn.store.contacts.records import Campaign, Contact, ContactReceipt
from churn.store.store import Store
from churn.store.tables import contacts
from tests.unit.churn.store.rows import NOON, prediction

LATER = NOON + timedelta(hours=1)


def called(customer_id: str, **changes: object) -> Contact:
    return replace(Contact(LATER, customer_id=customer_id, campaign="may", offer="10 %"), **changes)  # type: ignore[arg-type]


def stored(store: Store) -> list[tuple[object, ...]]:
    c = contacts.c
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(c.customer_id, c.prediction_id, c.contacted_at, c.campaign, c.offer).order_by(c.seq))
        return [tuple(row) for row in rows]


def test_contacts_are_idempotent(store: Store) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    batch = [called("c1"), called("c2", offer=None)]
    assert store.write_contacts(batch) == ContactReceipt(accepted=2)
    assert store.write_contacts(batch) == ContactReceipt(duplicates=2)
    assert stored(store) == [("c1", None, LATER, "may", "10 %"), ("c2", None, LATER, "may", None)]


def test_a_contact_by_prediction_is_one_of_its_customer(store: Store) -> None:
    store.write_predictions([prediction(1)])
    by_prediction = Contact(LATER, prediction_id="p1", campaign="may", offer="10 %")
    assert store.write_contacts([by_prediction]).accepted == 1
    assert store.write_contacts([called("c1")]) == ContactReceipt(duplicates=1)


def test_a_prediction_that_names_nobody_stands_for_itself(store: Store) -> None:
    store.write_predictions([prediction(1, customer_id=None), prediction(2, customer_id=None)])
    batch = [Contact(LATER, prediction_id=f"p{n}") for n in (1, 2)]
    assert store.write_contacts(batch).accepted == 2
    assert store.write_contacts(batch).duplicates == 2
    assert stored(store) == [(None, "p1", LATER, "", None), (None, "p2", LATER, "", None)]


def test_contacts_of_no_prediction_are_named_and_the_rest_is_stored(store: Store) -> None:
    store.write_predictions([prediction(1), prediction(2, customer_id=None)])
    batch = [
        Contact(LATER, prediction_id="nobody"),
        called("c1"),
        Contact(LATER, prediction_id="p2", opt_out=True),  # who should be left alone?
    ]
    assert store.write_contacts(batch) == ContactReceipt(accepted=1, unknown=[0, 2])


def test_who_was_never_asked_about_or_only_later_is_stored_and_named(store: Store) -> None:
    store.write_predictions([prediction(1)])
    batch = [called("stranger"), called("c1"), called("c1", contacted_at=NOON)]
    receipt = store.write_contacts(batch)
    assert (receipt.accepted, receipt.unasked) == (3, [0, 2])


def test_contacts_of_the_control_group_are_stored_and_named(store: Store) -> None:
    """c1 is held out and c2 is named; c3 was held out until the share changed; c4 is held out later, and c5 was never named."""
    day = timedelta(days=1)
    store.write_predictions(
        [
            prediction(1, churn=True, held_out=True),
            prediction(2, churn=True),
            prediction(3, churn=True, held_out=True, requested_at=NOON - day),
            prediction(4, customer_id="c3", churn=True, requested_at=NOON),
            prediction(5, customer_id="c4", churn=True, requested_at=NOON),
            prediction(6, customer_id="c4", churn=True, held_out=True, requested_at=LATER + day),
            prediction(7, customer_id="c5"),
        ]
    )
    batch = [called(f"c{n}") for n in range(1, 6)]
    last = called("c4", contacted_at=LATER + 2 * day)
    assert store.write_contacts(batch) == ContactReceipt(accepted=5, held_out=[0])
    assert store.write_contacts([*batch, last]) == ContactReceipt(accepted=1, duplicates=5, held_out=[0, 5])
    by_prediction = Contact(LATER + day, prediction_id="p1")
    assert store.write_contacts([by_prediction]).held_out == [0]


def test_each_contact_is_judged_by_its_own_moment_whatever_else_is_in_the_list(store: Store) -> None:
    """Held out from day 0 on, to be contacted from day 2, held out from day 4: told the same alone and among later ones."""
    day = timedelta(days=1)
    named = {0: True, 2: False, 4: True}
    store.write_predictions(
        [
            *(
                prediction(n, customer_id="c1", churn=True, held_out=held, requested_at=NOON + n * day)
                for n, held in named.items()
            ),
            prediction(9, customer_id="c1", requested_at=NOON + 3 * day),  # who would stay is neither
        ]
    )
    batch = [called("c1", contacted_at=NOON + n * day) for n in (-1, 0, 1, 2, 3, 4, 5)]
    leaks = [n for n, one in enumerate(batch) if store.write_contacts_whole([one]).held_out]
    assert leaks == [1, 2, 5, 6]
    for order in (batch, batch[::-1]):
        receipt = store.write_contacts_whole(order)
        assert [order[n] for n in sorted(receipt.held_out, key=lambda n: order[n].contacted_at)] == [batch[n] for n in leaks]
        assert [order[n] for n in receipt.unasked] == batch[:1]
    for size in (1, 2, 3):
        assert Contacts(store.engine, piece_rows=size).write(batch).held_out == leaks


def test_two_campaigns_at_once_are_two_contacts(store: Store) -> None:
    store.write_predictions([prediction(1)])
    assert store.write_contacts([called("c1"), called("c1", campaign="june")]).accepted == 2
    assert store.write_contacts([called("c1", contacted_at=LATER + timedelta(days=1))]).accepted == 1
    assert store.campaigns() == [
        Campaign("may", 2, LATER, LATER + timedelta(days=1)),
        Campaign("june", 1, LATER, LATER),
    ]


def test_campaigns_keep_their_first_and_last_contact(store: Store) -> None:
    for days in (3, 1, 2):
        store.write_contacts([called("c1", contacted_at=NOON + timedelta(days=days))])
    assert store.campaigns() == [Campaign("may", 3, NOON + timedelta(days=1), NOON + timedelta(days=3))]
    assert [one.name for one in store.campaigns(newest=0)] == []


def test_of_two_offers_in_one_contact_the_first_stays(store: Store) -> None:
    store.write_predictions([prediction(1)])
    receipt = store.write_contacts([called("c1"), called("c1", offer="20 %"), called("c1")])
    assert receipt == ContactReceipt(accepted=1, duplicates=1, conflicting=[1])
    assert store.write_contacts([called("c1", offer=None)]).conflicting == [0]
    assert [row[-1] for row in stored(store)] == ["10 %"]


def test_an_opt_out_is_no_contact_and_can_be_taken_back(store: Store) -> None:
    store.write_predictions([prediction(1)])
    no = called("c1", campaign="", offer=None, opt_out=True)
    assert store.write_contacts([no]) == ContactReceipt(accepted=1)
    assert store.write_contacts([no]) == ContactReceipt(duplicates=1)
    assert (store.opted_out(["c1", "c2"]), store.count_opt_outs(), stored(store)) == ({"c1"}, 1, [])
    assert store.write_contacts([replace(no, opt_out=False, contacted_at=LATER + timedelta(days=1))]).accepted == 1
    assert (store.opted_out(["c1", "c2"]), store.count_opt_outs()) == (set(), 0)


def test_what_was_said_last_counts_in_whichever_order_it_comes(store: Store) -> None:
    no, yes = called("c1", opt_out=True), called("c1", opt_out=False)
    after = timedelta(days=1)
    store.write_contacts([replace(no, contacted_at=LATER + after), yes])
    assert store.write_contacts([yes, replace(yes, contacted_at=LATER + after)]) == ContactReceipt(duplicates=2)
    assert store.opted_out(["c1"]) == {"c1"}  # and of two that were said at one moment the careful one
    assert store.write_contacts([replace(yes, contacted_at=LATER + 2 * after)]).accepted == 1
    assert store.opted_out(["c1"]) == set()


def test_an_opt_out_by_prediction_is_one_of_its_customer(store: Store) -> None:
    store.write_predictions([prediction(1)])
    store.write_contacts([Contact(LATER, prediction_id="p1", opt_out=True)])
    assert store.opted_out(["c1"]) == {"c1"}


def test_more_than_fit_into_a_statement(store: Store) -> None:
    batch = [called(f"c{n}", opt_out=True if n % 2 else None) for n in range(9_001)]
    assert store.write_contacts(batch).accepted == 9_001
    assert store.write_contacts(batch).duplicates == 9_001
    assert len(store.opted_out([f"c{n}" for n in range(9_001)])) == 4_500


def test_two_replicas_store_a_contact_once(url: str) -> None:
    with closing(Store.open(url)) as one, closing(Store.open(url)) as two, ThreadPoolExecutor(2) as threads:
        together = Barrier(2)

        def report(store: Store, offer: str) -> ContactReceipt:
            together.wait()
            return store.write_contacts([called(f"c{n}", offer=offer) for n in range(50)])

        first, second = threads.map(report, (one, two), ("a", "b"))
        assert sorted([first.accepted, second.accepted]) == [0, 50]
        assert sorted([len(first.conflicting), len(second.conflicting)]) == [0, 50]
        assert one.campaigns()[0].contacts == 50
