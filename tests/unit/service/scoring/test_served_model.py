from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest

from churn.campaigns.control_group import NOBODY, ControlGroup
from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.errors import NoReasons
from churn.store.records import PredictionRow
from service.scoring.scorer import one_customer
from service.scoring.served_model import ServedModel, action_of, format_time, to_response
from tests.unit.service.fakes import make_model, served_model

# Half of all customers: `ben` is in it, `anna` is not (see `ControlGroup`).
HALF = ControlGroup(0.5)


@pytest.fixture(scope="module")
def served() -> ServedModel:
    return served_model(make_model("7"), "registry")


def values(contract: Contract, **known: object) -> list[object]:
    return [known.get(name) for name in contract.feature_names]


def with_threshold(served: ServedModel, threshold: float) -> ServedModel:
    return replace(served, info=served.info.model_copy(update={"threshold": threshold}))


def batch_of(contract: Contract, minutes: list[float], ids: list[str | None] | None = None) -> CustomerColumns:
    parts = [one_customer(values(contract, total_day_minutes=one), contract).values for one in minutes]
    return CustomerColumns({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, ids)


def test_one_customer_s_record_says_what_was_asked_and_what_was_answered(served: ServedModel, contract: Contract) -> None:
    given = values(contract, total_day_minutes=265.1, international_plan=True, state="OH")
    before = datetime.now(UTC).replace(tzinfo=None)
    row = served.score_one(given, "c1")
    after = datetime.now(UTC).replace(tzinfo=None)
    assert orjson.loads(row.features) == dict(zip(contract.feature_names, given, strict=True))
    assert (row.customer_id, row.model_version, row.threshold, row.held_out) == ("c1", "7", 0.5, False)
    assert row.churn_probability == served.scorer.one(given)
    assert row.churn == (row.churn_probability >= 0.5)
    assert before <= datetime.strptime(row.requested_at, "%Y-%m-%d %H:%M:%S.%f") <= after
    assert row.prediction_id != served.score_one(given, "c1").prediction_id
    # The id is of the same millisecond as the record (a UUIDv7).
    stamp = int(row.prediction_id.replace("-", "")[:12], 16)
    assert datetime.fromtimestamp(stamp / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:23] == row.requested_at[:23]


def test_a_probability_at_the_threshold_is_churn_and_one_below_is_not(served: ServedModel, contract: Contract) -> None:
    given = values(contract, total_day_minutes=150.0)
    many = batch_of(contract, [150.0])
    one, other = served.scorer.one(given), float(served.scorer.many(many)[0])
    for move, churn in ((0.0, True), (1.0, False)):
        assert with_threshold(served, float(np.nextafter(one, one + move))).score_one(given, None).churn is churn
        assert with_threshold(served, float(np.nextafter(other, other + move))).score_columns(many).churn.tolist() == [churn]


def test_only_who_would_be_contacted_is_held_out(served: ServedModel, contract: Contract) -> None:
    given = values(contract, total_day_minutes=150.0)
    churns, stays = with_threshold(served, 0.0), with_threshold(served, 1.0)
    found = {
        (name, churn): (
            one.score_one(given, name, HALF).held_out,
            bool(one.score_columns(batch_of(contract, [150.0], [name]), HALF).held_out[0]),
        )
        for name in ("ben", "anna", None)
        for churn, one in ((True, churns), (False, stays))
    }
    assert {key for key, held_out in found.items() if held_out != (False, False)} == {("ben", True)}
    assert found["ben", True] == (True, True)
    assert churns.score_one(given, "ben", NOBODY).held_out is False


def test_a_batch_answers_as_its_customers_do_one_by_one(served: ServedModel, contract: Contract) -> None:
    minutes = [0.0, 100.0, 180.0, 250.0, 350.0]
    names: list[str | None] = ["anna", "ben", None, "carla", "dora"]
    batch = served.score_columns(batch_of(contract, minutes, names), HALF)
    alone = [
        served.score_one(values(contract, total_day_minutes=one), name, HALF) for one, name in zip(minutes, names, strict=True)
    ]
    rows = batch.rows(contract)
    for row, one in zip(rows, alone, strict=True):
        assert row.churn_probability == pytest.approx(one.churn_probability, abs=1e-12)
        same = {"prediction_id": "", "requested_at": "", "churn_probability": 0.0}
        assert row._replace(**same) == one._replace(**same)
    assert len({row.prediction_id for row in rows}) == 5
    assert {row.requested_at for row in rows} == {batch.requested_at}
    assert all(type(value) in (str, float, bool, type(None)) for row in rows for value in row)
    assert batch.actions() == [action_of(row.churn, row.held_out) for row in alone]
    assert set(batch.actions()) == {"none", "contact", "hold_out"}


def test_a_part_of_a_batch_is_that_part(served: ServedModel, contract: Contract) -> None:
    batch = served.score_columns(batch_of(contract, [0.0, 100.0, 180.0, 350.0], ["a", "b", "c", "d"]), HALF)
    assert batch.rows(contract, 1, 3) == batch.rows(contract)[1:3]
    assert batch.rows(contract, 2) == batch.rows(contract)[2:]
    assert batch.actions(slice(1, 3)) == batch.actions()[1:3]
    assert batch.action_codes(slice(0, 1)).tolist() == [0]


def test_nobody_is_named_where_no_ids_came(served: ServedModel, contract: Contract) -> None:
    batch = served.score_columns(batch_of(contract, [100.0, 350.0]), ControlGroup(0.999))
    assert batch.customer_ids == [None, None]
    assert batch.held_out.tolist() == [False, False]


def test_what_is_done_with_a_customer_is_one_of_three() -> None:
    assert [action_of(*pair) for pair in ((False, False), (True, False), (True, True))] == ["none", "contact", "hold_out"]


def test_what_is_sent_is_what_is_stored() -> None:
    row = PredictionRow("p1", "c1", "2026-01-02 03:04:05.000006", "7", 0.75, 0.5, True, "{}", True)
    assert to_response(row) == {
        "prediction_id": "p1",
        "customer_id": "c1",
        "churn_probability": 0.75,
        "churn": True,
        "action": "hold_out",
        "threshold": 0.5,
        "model_version": "7",
    }


def test_reasons_are_given_with_the_base_value_and_not_where_the_model_has_none(served: ServedModel, contract: Contract) -> None:
    given = values(contract, total_day_minutes=350.0)
    explained = orjson.loads(orjson.dumps(served.explain(given, 2)))
    assert set(explained) == {"base_value", "reasons"}
    assert len(explained["reasons"]) == 2
    assert explained["reasons"][0]["feature"] == "total_day_minutes"
    with pytest.raises(NoReasons, match="the model in service cannot give reasons"):
        replace(served, explainer=None).explain(given, 2)


@pytest.mark.parametrize("at", [0, 999, 1_000, 999_999_999, 1_767_323_045_000_006_789, 1_772_323_199_999_999_999])
def test_a_time_is_formatted_as_the_standard_library_does(at: int) -> None:
    whole = datetime.fromtimestamp(at // 10**9, UTC).replace(microsecond=at % 10**9 // 1_000)
    assert format_time(at) == whole.strftime("%Y-%m-%d %H:%M:%S.%f")


def test_it_knows_where_it_came_from_and_when(served: ServedModel) -> None:
    assert (served.version, served.path, served.loaded_from) == ("7", "compiled", "registry")
    assert abs(served.loaded_at.timestamp() - time.time()) < 600
    assert re.fullmatch(r"\w+", served.version)
