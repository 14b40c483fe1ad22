"""The marks of outcomes, in SQL, are those that a person would find by going through the rows one by one."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from churn.store.contacts.records import Contact
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from churn.store.treatment.marks import has_contacts, read_marks
from tests.unit.churn.store.rows import NOON, prediction

DAY = timedelta(days=1)
EFFECT = 5 * DAY


def acted_on(one: Prediction, outcome: Outcome, contacts: list[Contact]) -> bool:
    return any(
        one.requested_at - EFFECT < contact.contacted_at <= outcome.observed_at
        and (contact.customer_id == one.customer_id if contact.customer_id else contact.prediction_id == one.prediction_id)
        for contact in contacts
    )


def held_out(one: Prediction, outcome: Outcome, everything: list[Prediction]) -> float:
    if one.customer_id is None:
        return 0.0 if one.churn_probability >= one.threshold else np.nan
    until = max(outcome.observed_at, one.requested_at)
    named = [
        other.held_out
        for other in everything
        if other.customer_id == one.customer_id and other.churn and one.requested_at - EFFECT < other.requested_at <= until
    ]
    return float(all(named)) if named else np.nan


@pytest.mark.parametrize("seed", range(6))
def test_they_are_those_of_a_walk_through_the_rows(tmp_path: Path, seed: int) -> None:
    """Moments are whole days, so that many fall on the very edges."""
    rng = random.Random(seed)  # noqa: S311 -- examples, no secrets
    everything = [
        prediction(
            n,
            customer_id=rng.choice([None, *(f"c{k}" for k in range(8))]),
            requested_at=NOON + rng.randrange(12) * DAY,
            churn=(churn := rng.random() < 0.5),
            churn_probability=rng.choice([0.5, 0.9]) if churn else 0.2,
            held_out=churn and rng.random() < 0.4,
        )
        for n in range(60)
    ]
    outcomes = [
        Outcome(rng.random() < 0.5, one.requested_at + rng.randrange(-1, 8) * DAY, one.prediction_id)
        for one in everything
        if rng.random() < 0.7
    ]
    contacts = [
        Contact(NOON + rng.randrange(-6, 20) * DAY, customer_id=f"c{rng.randrange(8)}", campaign=f"by id {n}") for n in range(4)
    ]
    contacts += [
        Contact(NOON + rng.randrange(-6, 20) * DAY, prediction_id=one.prediction_id, campaign="by prediction")
        for one in rng.sample([one for one in everything if one.customer_id is None], 3)
    ]
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    store.write_predictions(everything)
    store.write_outcomes(outcomes)
    with store.engine.connect() as connection:
        assert not has_contacts(connection)
    store.write_contacts(contacts)
    order = list(range(1, len(outcomes) + 1))
    rng.shuffle(order)
    with store.engine.connect() as connection:
        assert has_contacts(connection)
        found = read_marks(connection, [*order, 10_000], EFFECT)
    store.close()
    by_id = {one.prediction_id: one for one in everything}
    asked = [(by_id[str(outcomes[seq - 1].prediction_id)], outcomes[seq - 1]) for seq in order]
    expected = [acted_on(one, outcome, contacts) for one, outcome in asked]
    assert 0 < sum(expected) < len(expected)
    assert found.acted_on.tolist() == [*expected, True], "an outcome that is gone counts as acted on"
    np.testing.assert_array_equal(found.held_out, [*(held_out(one, outcome, everything) for one, outcome in asked), np.nan])


def test_nothing_is_marked_where_nothing_is_asked(store: Store) -> None:
    with store.engine.connect() as connection:
        found = read_marks(connection, [], EFFECT)
    assert (found.acted_on.shape, found.held_out.shape) == ((0,), (0,))
    assert (found.acted_on.dtype, found.held_out.dtype) == (np.bool_, np.float64)
