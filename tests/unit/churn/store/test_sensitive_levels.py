"""What is known of customers by sensitive columns: stored apart, once, and corrected by what is sent later."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from churn.clock import now
from churn.errors import StoreError
from churn.store.erasure import erase_customer
from churn.store.export import export_customer
from churn.store.retention import Pruned, prune
from churn.store.sensitive_levels import LevelsReceipt, SensitiveLevel, SensitiveLevels
from churn.store.store import Store
from churn.store.tables import sensitive_levels
from tests.unit.churn.store.rows import prediction

SAID = [SensitiveLevel("anna", "gender", "f"), SensitiveLevel("anna", "age", "43"), SensitiveLevel("ben", "gender", "m")]


def test_what_is_sent_again_changes_nothing_and_what_is_sent_later_counts(store: Store) -> None:
    assert store.write_sensitive_levels(SAID) == LevelsReceipt(new=3)
    assert store.write_sensitive_levels(SAID) == LevelsReceipt(same=3)
    later = [SensitiveLevel("anna", "age", "44"), SensitiveLevel("ben", "gender", None), SensitiveLevel("carla", "age", None)]
    assert store.write_sensitive_levels(later) == LevelsReceipt(changed=1, removed=1, same=1)
    assert store.read_sensitive_levels(["anna", "ben", "carla"]) == {"anna": {"gender": "f", "age": "44"}}
    assert store.write_sensitive_levels([]) == LevelsReceipt()


def test_many_are_written_in_pieces_and_those_before_a_failure_stay(store: Store) -> None:
    many = [SensitiveLevel(f"c{n:05}", "gender", "fm"[n % 2]) for n in range(9000)]
    assert SensitiveLevels(store.engine, piece_rows=4000).write(reversed(many)) == LevelsReceipt(new=9000)
    known = store.read_sensitive_levels([one.customer_id for one in many])
    assert known == {one.customer_id: {"gender": one.level} for one in many}
    broken = [SensitiveLevel("a", "gender", "f"), SensitiveLevel("b", "gender", {}), SensitiveLevel("c", "gender", "f")]  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        SensitiveLevels(store.engine, piece_rows=1).write(broken)
    assert store.read_sensitive_levels(["a", "b", "c"]) == {"a": {"gender": "f"}}


def test_they_are_given_out_and_erased_with_the_customer(store: Store) -> None:
    store.write_sensitive_levels([*SAID, SensitiveLevel("p:anna", "gender", "f")])
    known = export_customer(store.engine, ["anna", "p:anna"])["sensitive_levels"]
    said = [(one["customer_id"], one["column_name"], one["level"]) for one in known]
    assert sorted(said) == [("anna", "age", "43"), ("anna", "gender", "f"), ("p:anna", "gender", "f")]
    assert erase_customer(store.engine, ["anna", "p:anna"], reason="asked for").sensitive_levels == 3
    assert store.read_sensitive_levels(["anna", "p:anna", "ben"]) == {"ben": {"gender": "m"}}


def test_old_ones_go_with_the_last_prediction_of_their_customer(store: Store) -> None:
    before = now() + timedelta(days=1)
    store.write_sensitive_levels([SensitiveLevel(who, "gender", "f") for who in ("gone", "old", "asked", "new")])
    with store.engine.begin() as connection:
        future = sa.update(sensitive_levels).where(sensitive_levels.c.customer_id == "new")
        connection.execute(future.values(received_at=before + timedelta(days=1)))
    store.write_predictions([prediction(1, customer_id="old"), prediction(2, customer_id="asked", requested_at=before)])
    would = prune(store.engine, before, even_unjudged=True, dry_run=True)
    assert len(store.read_sensitive_levels(["gone", "old", "asked", "new"])) == 4
    assert would == prune(store.engine, before, even_unjudged=True) == Pruned(predictions=1, sensitive_levels=2)
    assert set(store.read_sensitive_levels(["gone", "old", "asked", "new"])) == {"asked", "new"}


def test_they_stay_while_a_prediction_of_the_customer_does(store: Store) -> None:
    """Its outcome may be judged yet."""
    before = now() + timedelta(days=1)
    store.write_sensitive_levels([SensitiveLevel("waiting", "gender", "f")])
    old, new = prediction(1, customer_id="waiting"), prediction(2, customer_id="other", requested_at=before)
    store.write_predictions([old, new])
    assert prune(store.engine, before) == Pruned(kept_unjudged=1)
    assert store.read_sensitive_levels(["waiting"])
