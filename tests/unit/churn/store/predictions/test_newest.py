"""The newest prediction of one customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from churn.store.predictions.newest import read_newest
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, prediction


def test_it_is_the_last_that_was_asked_for_and_of_the_same_moment_the_last_logged(store: Store) -> None:
    first, late, last, other = (replace(prediction(n), customer_id="c") for n in range(4))
    late = replace(late, requested_at=NOON + timedelta(hours=1))
    last = replace(last, requested_at=late.requested_at)
    store.write_predictions([late, last, replace(first, requested_at=NOON), replace(other, customer_id="d")])
    newest = read_newest(store.engine, ["c"])
    assert newest is not None
    assert newest.prediction_id == last.prediction_id
    assert newest.requested_at == last.requested_at
    assert (newest.model_version, newest.churn_probability, newest.threshold) == (
        last.model_version,
        last.churn_probability,
        last.threshold,
    )
    assert newest.features == last.features


def test_a_customer_may_have_two_names(store: Store) -> None:
    plain, pseudonym = replace(prediction(1), customer_id="c"), replace(prediction(2), customer_id="p:c")
    store.write_predictions([replace(plain, requested_at=NOON + timedelta(hours=1)), replace(pseudonym, requested_at=NOON)])
    found = read_newest(store.engine, ["c", "p:c"])
    assert found is not None
    assert found.prediction_id == plain.prediction_id


@pytest.mark.parametrize("last", ["c", "p:c"])
def test_of_the_same_moment_the_last_logged_is_the_newest_under_whichever_name(store: Store, last: str) -> None:
    names = ["c", "p:c"]
    logged = sorted(names, key=lambda name: name == last)
    store.write_predictions([replace(prediction(n), customer_id=name, requested_at=NOON) for n, name in enumerate(logged)])
    found = read_newest(store.engine, names)
    assert found is not None
    assert found.prediction_id == prediction(1).prediction_id


def test_a_prediction_without_an_id_is_nobody_s_newest(store: Store) -> None:
    store.write_predictions([replace(prediction(1), customer_id=None)])
    assert read_newest(store.engine, ["c"]) is None
