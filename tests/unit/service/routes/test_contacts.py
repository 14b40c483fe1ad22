from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from churn.store.contacts.records import Contact, ContactReceipt
from churn.store.records import OutcomeReceipt
from service.app import ServiceApp
from service.routes import reported
from tests.unit.service.fakes import FakeStore

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CSV = {"content-type": "text/csv; charset=utf-8"}


async def test_contacts_reach_the_store_as_said(client: httpx2.AsyncClient, store: FakeStore) -> None:
    said = [
        {"prediction_id": "p-1", "contacted_at": "2026-03-01T14:00:00+02:00", "campaign": "may", "offer": "10 % off"},
        {"customer_id": 7, "contacted_at": None, "campaign": None, "offer": None, "opt_out": None},
        {"customer_id": "c-2", "opt_out": True},
        {"customer_id": "c-3", "opt_out": False},
    ]
    before = datetime.now(UTC)
    store.contact_receipt = ContactReceipt(accepted=1, duplicates=2, unknown=[0], conflicting=[1], unasked=[2], held_out=[3])
    response = await client.post("/contacts", json={"contacts": said})
    assert response.status_code == 200
    assert response.json() == {
        "accepted": 1,
        "duplicates": 2,
        "unknown": [{"index": 0, "prediction_id": "p-1", "customer_id": None}],
        "conflicting": [{"index": 1, "prediction_id": None, "customer_id": "7"}],
        "unasked": [{"index": 2, "prediction_id": None, "customer_id": "c-2"}],
        "held_out": [{"index": 3, "prediction_id": None, "customer_id": "c-3"}],
    }
    first, second, third, fourth = store.contacts
    assert first == Contact(NOON, "p-1", None, "may", "10 % off", None)
    assert second == Contact(second.contacted_at, None, "7")
    assert before <= second.contacted_at == third.contacted_at <= datetime.now(UTC)
    assert (third.opt_out, fourth.opt_out) == (True, False)
    metrics = (await client.get("/metrics")).text
    for result, number in (("accepted", 1), ("duplicate", 2), ("unknown", 1), ("conflicting", 1)):
        assert f'churn_contacts_received_total{{result="{result}"}} {number}.0' in metrics


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({}, "contacts.0"),
        ({"prediction_id": "p", "customer_id": "c"}, "contacts.0"),
        ({"customer_id": "c", "opt_out": True, "campaign": "may"}, "contacts.0"),
        ({"customer_id": "c", "opt_out": False, "offer": "10 %"}, "contacts.0"),
        ({"customer_id": "c", "opt_out": "true"}, "contacts.0.opt_out"),
        ({"customer_id": "c", "campaign": ""}, "contacts.0.campaign"),
        ({"customer_id": "c", "campaign": " may"}, "contacts.0.campaign"),
        ({"customer_id": "c", "campaign": "a\x00"}, "contacts.0.campaign"),
        ({"customer_id": "c", "campaign": "a\nb"}, "contacts.0.campaign"),
        ({"customer_id": "c", "campaign": "a\n"}, "contacts.0.campaign"),
        ({"customer_id": "c", "campaign": "c" * 129}, "contacts.0.campaign"),
        ({"customer_id": "c", "campaign": 7}, "contacts.0.campaign"),
        ({"customer_id": "c", "offer": "c" * 257}, "contacts.0.offer"),
        ({"customer_id": "c" * 129}, "contacts.0.customer_id"),
        ({"customer_id": "c", "contacted_at": "2026-03-01T12:00:00"}, "contacts.0.contacted_at"),
        ({"customer_id": "c", "contacted_at": "2999-01-01T00:00:00Z"}, "contacts.0.contacted_at"),
        ({"customer_id": "c", "contacted_at": "20260301"}, "contacts.0.contacted_at"),
        ({"customer_id": "c", "contacted_at": "0001-01-01T00:00:00+14:00"}, "contacts.0.contacted_at"),
        ({"customer_id": "c", "why": "price"}, "contacts.0.why"),
    ],
)
async def test_bad_contact_is_422_and_nothing_is_stored(
    client: httpx2.AsyncClient, store: FakeStore, item: dict[str, Any], field: str
) -> None:
    response = await client.post("/contacts", json={"contacts": [item, {"customer_id": "d"}]})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert store.contacts == []


async def test_contacts_are_read_from_csv(client: httpx2.AsyncClient, store: FakeStore) -> None:
    body = (
        "\ufeffcustomer_id,campaign,contacted_at,opt_out,offer\r\n"
        '007,may,2026-03-01T12:00:00Z,,"ten, percent"\r\n'
        "c-2,,2026-03-01T12:00:00Z,Yes,\r\n\r\n"
    )
    response = await client.post("/contacts", content=body.encode(), headers=CSV)
    assert response.status_code == 200, response.text
    assert store.contacts == [
        Contact(NOON, None, "007", "may", "ten, percent"),
        Contact(NOON, None, "c-2", "", None, opt_out=True),
    ]


async def test_outcomes_are_read_from_csv(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.receipt = OutcomeReceipt(accepted=3)
    body = "churned,customer_id,observed_at\ntrue,a,2026-03-01T12:00:00Z\nNo,b,\n1,c,\n"
    response = await client.post("/outcomes", content=body.encode(), headers=CSV)
    assert response.status_code == 200, response.text
    assert [(one.customer_id, one.churned) for one in store.outcomes] == [("a", True), ("b", False), ("c", True)]
    assert store.outcomes[0].observed_at == NOON


@pytest.mark.parametrize(
    ("path", "body", "field", "words"),
    [
        ("/contacts", b"", "contacts", "at least 1"),
        ("/contacts", b"customer_id\n", "contacts", "at least 1"),
        ("/contacts", b"customer_id;campaign|offer\na;b|c\n", "header", "separated by semicolons"),
        ("/contacts", b"customer_id,customer_id\na,b\n", "header", "twice"),
        ("/contacts", b"customer_id,colour\na,b\n", "header", "known are prediction_id, customer_id, contacted_at"),
        ("/contacts", b"customer_id,\na,b\n", "contacts.0", "a column without a name"),
        ("/contacts", b"customer_id,campaign\na\n", "contacts.0", "2 fields"),
        ("/contacts", b"customer_id,campaign\na,\x07\n", "contacts.0.campaign", "one line without control characters"),
        ("/contacts", b"customer_id,campaign\na,b\nc,d,e\n", "contacts.1", "2 fields"),
        ("/contacts", b"customer_id,opt_out\na,maybe\n", "contacts.0.opt_out", "true or false"),
        ("/contacts", b"customer_id,contacted_at\na,yesterday\n", "contacts.0.contacted_at", "date"),
        # A day without dashes is no count of seconds.
        ("/contacts", b"customer_id,contacted_at\na,20260301\n", "contacts.0.contacted_at", "as 2026-03-31T22:00:00Z"),
        ("/contacts", b"customer_id\n\xff\n", "body", "UTF-8"),
        ("/contacts", b'customer_id\n"a\n', "line 2", "CSV"),
        ("/outcomes", b"customer_id,churned\na,\n", "outcomes.0.churned", "required"),
        ("/outcomes", b"customer_id,churned\na,2\n", "outcomes.0.churned", "true or false"),
    ],
)
async def test_bad_csv_is_422_and_says_where(
    client: httpx2.AsyncClient, store: FakeStore, path: str, body: bytes, field: str, words: str
) -> None:
    response = await client.post(path, content=body, headers=CSV)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == field
    assert words in error["problem"]
    assert store.contacts == []
    assert store.outcomes == []


@pytest.mark.parametrize("path", ["/contacts", "/outcomes"])
async def test_more_rows_than_may_be_are_413(app: ServiceApp, client: httpx2.AsyncClient, path: str) -> None:
    app.state.settings = app.state.settings.model_copy(update={"max_batch_rows": 3})
    field = b"opt_out" if path == "/contacts" else b"churned"
    for count, status in ((3, 200), (4, 413)):
        rows = b"".join(b"c%d,true\n" % n for n in range(count))
        response = await client.post(path, content=b"customer_id," + field + b"\n" + rows, headers=CSV)
        assert response.status_code == status, response.text


async def test_store_away_is_503(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away = True
    response = await client.post("/contacts", json={"contacts": [{"prediction_id": "p"}]})
    assert (response.status_code, response.json()["type"]) == (503, "urn:churn:problem:store-away")


async def test_the_positions_of_a_receipt_are_not_copied_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """`asdict` took a sixth of a second for a hundred thousand, in which nobody else was answered."""
    answered: list[Any] = []
    monkeypatch.setattr(reported, "_written", lambda _records, counted: answered.append(counted) or b"0")
    receipt = ContactReceipt(unknown=[0])
    await reported.answer_reported([Contact(NOON, customer_id="a")], receipt)
    assert any(counted is receipt.unknown for counted in answered)
