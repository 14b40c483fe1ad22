from __future__ import annotations

import hashlib
from datetime import timedelta

import numpy as np
import pytest

from churn.errors import StoreError
from churn.store.contacts import opt_outs as module
from churn.store.contacts.opt_outs import read_opt_outs, write_opt_outs
from churn.store.contacts.opted_out import OptedOut, opt_out_digest
from churn.store.database.chunks import CHUNK
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON

HOUR = timedelta(hours=1)


def say(store: Store, **said: tuple[bool, int]) -> None:
    """Customer to whether they want no contacts, and how many hours after noon they said so."""
    with store.engine.begin() as connection:
        write_opt_outs(connection, {name: (opted_out, NOON + hours * HOUR) for name, (opted_out, hours) in said.items()})


def test_who_wants_no_contacts_is_known_under_a_digest_alone(store: Store) -> None:
    say(store, anna=(True, 0), ben=(False, 0))
    assert store.opted_out(["anna", "ben", "carla"]) == {"anna"}
    assert store.count_opt_outs() == 1
    with store.engine.connect() as connection:
        assert read_opt_outs(connection, ["anna", "ben", "carla"]) == {"anna": (True, NOON), "ben": (False, NOON)}
        stored = connection.exec_driver_sql("SELECT customer FROM opt_outs").scalars().all()
    assert set(stored) == {hashlib.sha256(f"opt-out:{name}".encode()).hexdigest() for name in ("anna", "ben")}
    assert opt_out_digest("anna") in stored


@pytest.mark.parametrize(
    ("first", "then", "opted_out"),
    [
        ((True, 0), (False, 1), False),
        ((False, 0), (True, 1), True),
        ((True, 1), (False, 0), True),
        ((False, 1), (True, 0), False),
        # Of two at one moment the careful one counts.
        ((False, 0), (True, 0), True),
        ((True, 0), (False, 0), True),
    ],
)
def test_what_was_said_last_stays_in_whichever_order_it_arrives(
    first: tuple[bool, int], then: tuple[bool, int], opted_out: bool, store: Store
) -> None:
    say(store, anna=first)
    say(store, anna=then)
    assert store.opted_out(["anna"]) == ({"anna"} if opted_out else set())


def test_nothing_said_is_nothing_written_and_many_are_asked_about_at_once(store: Store) -> None:
    say(store)
    assert store.count_opt_outs() == 0
    say(store, c1=(True, 0), c9000=(True, 0))
    assert store.opted_out([f"c{n}" for n in range(2 * CHUNK + 1_001)]) == {"c1", "c9000"}
    assert store.opted_out([]) == set()


def test_a_store_that_is_away_is_an_error_of_the_store(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE opt_outs")
    for ask in (store.count_opt_outs, lambda: store.opted_out(["anna"])):
        with pytest.raises(StoreError, match=r"no such table|does not exist"):
            ask()


def test_changes_add_up_to_what_the_store_knows(store: Store) -> None:
    rng, names = np.random.default_rng(5), [f"c{n}" for n in range(50)]
    known, seen = OptedOut(), None
    assert store.opt_out_changes(None) is None
    for hours in range(30):
        if hours % 3:
            some = rng.choice(names, size=4, replace=False).tolist()
            say(store, **{name: (bool(rng.integers(2)), int(rng.integers(40))) for name in some})
        found = store.opt_out_changes(seen)
        if found is not None:
            known, seen = known.changed(found.wanting_none, found.willing), found.state
        assert {name for name in names if known.has(name)} == store.opted_out(names)
        assert store.opt_out_changes(seen) is None
    assert len(known) == store.count_opt_outs() > 0


def test_what_another_writer_received_before_is_still_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "now", lambda: NOON)
    say(store, anna=(True, 0))
    first = store.opt_out_changes(None)
    assert first is not None
    # Its clock is behind, or its transaction ended late.
    monkeypatch.setattr(module, "now", lambda: NOON - timedelta(minutes=4))
    say(store, ben=(True, 0))
    found = store.opt_out_changes(first.state)
    assert found is not None
    assert OptedOut().changed(found.wanting_none, found.willing).has("ben")
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM opt_outs")
    emptied = store.opt_out_changes(found.state)
    assert emptied is not None
    assert emptied.state is None
