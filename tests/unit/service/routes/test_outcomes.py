from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from churn.store.records import Outcome, OutcomeReceipt
from tests.unit.service.fakes import FakeStore

pytestmark = pytest.mark.anyio


def at(**offset: float) -> str:
    return (datetime.now(UTC) + timedelta(**offset)).isoformat()


async def test_outcomes_reach_the_store_as_said(client: httpx2.AsyncClient, store: FakeStore) -> None:
    before = datetime.now(UTC)
    said = [
        {"prediction_id": "p-1", "churned": True, "observed_at": "2026-03-01T12:00:00+02:00"},
        {"customer_id": "c-1", "churned": False, "observed_at": None},
        {"customer_id": "c-2", "churned": False},
    ]
    store.receipt = OutcomeReceipt(accepted=1, duplicates=0, unknown=[1], conflicting=[2])
    response = await client.post("/outcomes", json={"outcomes": said})
    assert response.status_code == 200
    body = response.json()
    assert (body["accepted"], body["duplicates"]) == (1, 0)
    assert body["unknown"] == [{"index": 1, "prediction_id": None, "customer_id": "c-1"}]
    assert body["conflicting"] == [{"index": 2, "prediction_id": None, "customer_id": "c-2"}]
    first, second, third = store.outcomes
    assert (first.prediction_id, first.customer_id, first.churned) == ("p-1", None, True)
    assert first.observed_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (second.prediction_id, second.customer_id, second.churned) == (None, "c-1", False)
    assert before <= second.observed_at == third.observed_at <= datetime.now(UTC)
    metrics = (await client.get("/metrics")).text
    for result, number in (("accepted", 1), ("duplicate", 0), ("unknown", 1), ("conflicting", 1)):
        assert f'churn_outcomes_received_total{{result="{result}"}} {number}.0' in metrics


REVISIONS = [
    {"prediction_id": "p-1", "churned": False, "observed_at": "2026-03-01T12:00:00Z", "corrects": True},
    {"prediction_id": "p-2", "observed_at": "2026-03-01T12:00:00Z", "withdrawn": True},
    {"prediction_id": "p-3", "churned": True},
]
REVISIONS_CSV = """prediction_id,churned,observed_at,corrects,withdrawn
p-1,no,2026-03-01T12:00:00Z,yes,
p-2,,2026-03-01T12:00:00Z,,true
p-3,1,,,
"""


@pytest.mark.parametrize(
    "body", [{"json": {"outcomes": REVISIONS}}, {"content": REVISIONS_CSV, "headers": {"content-type": "text/csv"}}]
)
async def test_corrections_and_withdrawals_reach_the_store(
    client: httpx2.AsyncClient, store: FakeStore, body: dict[str, Any]
) -> None:
    store.receipt = OutcomeReceipt(accepted=1, corrected=2)
    response = await client.post("/outcomes", **body)
    assert response.status_code == 200, response.text
    assert response.json() == {"accepted": 1, "duplicates": 0, "unknown": [], "conflicting": [], "corrected": 2}
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert store.outcomes[:2] == [
        Outcome(False, noon, prediction_id="p-1", corrects=True),
        Outcome(False, noon, prediction_id="p-2", withdrawn=True),
    ]
    assert store.outcomes[2] == Outcome(True, store.outcomes[2].observed_at, prediction_id="p-3")
    assert 'churn_outcomes_received_total{result="corrected"} 2.0' in (await client.get("/metrics")).text


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"churned": True}, "outcomes.0"),
        ({"prediction_id": "p", "customer_id": "c", "churned": True}, "outcomes.0"),
        ({"prediction_id": "p", "churned": "true"}, "outcomes.0.churned"),
        ({"prediction_id": "p", "churned": 1}, "outcomes.0.churned"),
        ({"prediction_id": "p", "churned": None}, "outcomes.0.churned"),
        ({"prediction_id": "p"}, "outcomes.0.churned"),
        ({"prediction_id": "p", "churned": None, "observed_at": at(days=-1), "corrects": True}, "outcomes.0.churned"),
        ({"prediction_id": "p", "churned": True, "observed_at": at(days=-1), "withdrawn": True}, "outcomes.0.churned"),
        ({"prediction_id": "p", "observed_at": at(days=-1), "withdrawn": False}, "outcomes.0.churned"),
        ({"prediction_id": "p", "observed_at": at(days=-1), "withdrawn": True, "corrects": True}, "outcomes.0"),
        ({"prediction_id": "p", "churned": True, "corrects": True}, "outcomes.0"),
        ({"customer_id": "c", "churned": True, "observed_at": at(days=-1), "corrects": True}, "outcomes.0"),
        ({"customer_id": "c", "observed_at": at(days=-1), "withdrawn": True}, "outcomes.0"),
        ({"prediction_id": "p", "churned": True, "observed_at": at(days=-1), "corrects": "true"}, "outcomes.0.corrects"),
        ({"prediction_id": 7, "churned": True}, "outcomes.0.prediction_id"),
        ({"prediction_id": "", "churned": True}, "outcomes.0.prediction_id"),
        ({"customer_id": "a\x00", "churned": True}, "outcomes.0.customer_id"),
        ({"customer_id": "c" * 129, "churned": True}, "outcomes.0.customer_id"),
        ({"prediction_id": "p", "churned": True, "why": "price"}, "outcomes.0.why"),
        ({"prediction_id": "p", "churned": True, "observed_at": "2026-03-01T12:00:00"}, "outcomes.0.observed_at"),
        ({"prediction_id": "p", "churned": True, "observed_at": 1_700_000_000}, "outcomes.0.observed_at"),
        ({"prediction_id": "p", "churned": True, "observed_at": "20260301"}, "outcomes.0.observed_at"),
        ({"prediction_id": "p", "churned": True, "observed_at": "1700000000000"}, "outcomes.0.observed_at"),
        ({"prediction_id": "p", "churned": True, "observed_at": "2999-01-01T00:00:00Z"}, "outcomes.0.observed_at"),
        ({"prediction_id": "p", "churned": True, "observed_at": "9999-12-31T23:59:59-14:00"}, "outcomes.0.observed_at"),
        ({"prediction_id": "p", "churned": True, "observed_at": "0001-01-01T00:00:00+14:00"}, "outcomes.0.observed_at"),
    ],
)
async def test_bad_outcome_is_422_and_nothing_is_stored(
    client: httpx2.AsyncClient, store: FakeStore, item: dict[str, Any], field: str
) -> None:
    good = {"prediction_id": "p-2", "churned": True}
    response = await client.post("/outcomes", json={"outcomes": [item, good]})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert store.outcomes == []


async def test_clocks_may_differ_a_little(client: httpx2.AsyncClient) -> None:
    item = {"prediction_id": "p", "churned": True, "observed_at": at(minutes=4)}
    assert (await client.post("/outcomes", json={"outcomes": [item]})).status_code == 200


async def test_no_outcomes_are_422(client: httpx2.AsyncClient) -> None:
    for body in ({"outcomes": []}, {}, []):
        assert (await client.post("/outcomes", json=body)).status_code == 422


async def test_store_away_is_503(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away = True
    response = await client.post("/outcomes", json={"outcomes": [{"prediction_id": "p", "churned": True}]})
    assert (response.status_code, response.json()["type"]) == (503, "urn:churn:problem:store-away")


@pytest.mark.parametrize(
    "time",
    [
        *("2026-03-01", "2026-03-01T12:00:00", "now", "20260301T120000Z", 1_700_000_000),
        *("2016-12-31T23:59:60Z", "2026-03-01T24:00:00Z", "2026-02-30T12:00:00Z", "2026-03-01T12:00:00+24:00"),
        "2026-03-01T12:00:00Z[Europe/Berlin]",
    ],
)
async def test_a_time_that_is_none_is_refused_with_the_rule_and_an_example(client: httpx2.AsyncClient, time: Any) -> None:
    said = {"prediction_id": "p", "churned": True, "observed_at": time}
    (problem,) = (await client.post("/outcomes", json={"outcomes": [said]})).json()["errors"]
    assert problem == {
        "field": "outcomes.0.observed_at",
        "problem": "must be a date and time with a time zone, as 2026-03-31T22:00:00Z",
    }
