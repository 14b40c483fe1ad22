"""All that is known of one customer is given out, and nothing of anybody else."""

from __future__ import annotations

import json

import orjson

from churn.store.contacts.records import Contact
from churn.store.export import export_customer
from churn.store.records import Outcome
from churn.store.shadow import ShadowRow
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, OBSERVED, outcome, prediction


def fill(store: Store) -> None:
    store.write_predictions([prediction(n, customer_id=("anna", "ben", "pseudo-anna")[n % 3]) for n in range(9)])
    store.write_outcomes([outcome(f"p{n}", churned=n < 3) for n in range(6)])
    store.write_outcomes([Outcome(True, OBSERVED, f"p{n}") for n in (6,)])
    store.write_shadow([ShadowRow(f"p{n}", "2", 0.25, False, NOON) for n in range(3)])
    store.write_contacts([Contact(NOON, customer_id=who, campaign="may", offer="10 %") for who in ("anna", "ben")])
    store.write_contacts([Contact(NOON, customer_id="pseudo-anna", opt_out=True)])


def test_all_that_is_known_is_given_out(store: Store) -> None:
    fill(store)
    known = export_customer(store.engine, ["anna", "pseudo-anna"])
    assert json.loads(orjson.dumps(known)) == known
    assert [one["prediction_id"] for one in known["predictions"]] == ["p0", "p2", "p3", "p5", "p6", "p8"]
    assert known["predictions"][1]["features"]["total_day_minutes"] == 2.0
    assert {one["prediction_id"]: one["churned"] for one in known["outcomes"]} == {
        "p0": True, "p2": True, "p3": False, "p5": False, "p6": True
    }  # fmt: skip
    assert [one["prediction_id"] for one in known["shadow_predictions"]] == ["p0", "p2"]
    (contact,) = known["contacts"]
    assert (contact["campaign"], contact["offer"], contact["contacted_at"]) == ("may", "10 %", NOON.isoformat())
    assert known["opt_out"] == {"opted_out": True, "said_at": NOON.isoformat()}
    assert "ben" not in json.dumps(known)
    assert not {"seq", "prediction_seq"} & {name for one in known["predictions"] + known["outcomes"] for name in one}


def test_of_a_stranger_nothing_is_known(store: Store) -> None:
    fill(store)
    nothing: dict[str, object] = {
        name: [] for name in ("predictions", "outcomes", "shadow_predictions", "contacts", "sensitive_levels")
    }
    assert export_customer(store.engine, ["nobody", "%"]) == nothing | {"opt_out": None}
