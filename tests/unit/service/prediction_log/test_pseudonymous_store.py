from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from churn.customers.pseudonym import Pseudonymiser
from churn.errors import StoreError
from churn.store.contacts.records import ContactReceipt
from service.app import create_app
from service.prediction_log.pseudonymous_store import PseudonymousStore
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running

pytestmark = pytest.mark.anyio
KEY = "a key of sixteen or more"
NAME = Pseudonymiser(KEY)("c-1")


@pytest.fixture
async def client(
    tmp_path: Path, registry: FakeRegistry, store: FakeStore, last_known_good: FakeLastKnownGood
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = make_settings(tmp_path, pseudonym_key=SecretStr(KEY))
    async with running(
        create_app(settings, registry=registry, store=store, last_known_good=last_known_good.last_known_good())
    ) as client:
        yield client


async def test_the_store_gets_pseudonyms_and_the_caller_its_own_ids(client: httpx2.AsyncClient, store: FakeStore) -> None:
    one = (await client.post("/predict", json={**CUSTOMER, "customer_id": "c-1"})).json()
    batch = (await client.post("/predict/batch", json={"customers": [CUSTOMER, {**CUSTOMER, "customer_id": "c-1"}]})).json()
    assert [answer["customer_id"] for answer in (one, *batch["predictions"])] == ["c-1", None, "c-1"]
    assert [stored.customer_id for stored in store.rows] == [NAME, None, NAME]
    assert store.rows[0].prediction_id == one["prediction_id"]
    assert store.rows[0].churn_probability == one["churn_probability"]


async def test_outcomes_are_named_by_the_same_pseudonym(client: httpx2.AsyncClient, store: FakeStore) -> None:
    said = [{"customer_id": "c-1", "churned": True}, {"prediction_id": "p-1", "churned": False}]
    await client.post("/outcomes", json={"outcomes": said})
    assert [(o.customer_id, o.prediction_id, o.churned) for o in store.outcomes] == [(NAME, None, True), (None, "p-1", False)]


async def test_a_store_that_is_away_is_away(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away = True
    assert (await client.get("/readyz")).json()["log"] == "spool"
    with pytest.raises(StoreError):
        PseudonymousStore(store, Pseudonymiser(KEY)).ping()


async def test_it_closes_the_store(store: FakeStore) -> None:
    PseudonymousStore(store, Pseudonymiser(KEY)).close()
    assert store.closed


async def test_contacts_get_the_pseudonyms_of_their_customers(client: httpx2.AsyncClient, store: FakeStore) -> None:
    said = [{"customer_id": "c-1"}, {"prediction_id": "p-1"}, {"customer_id": "c-1", "opt_out": True}]
    store.contact_receipt = ContactReceipt(accepted=2, unknown=[0])
    answer = await client.post("/contacts", json={"contacts": said})
    assert answer.json()["unknown"] == [{"index": 0, "prediction_id": None, "customer_id": "c-1"}]
    assert [contact.customer_id for contact in store.contacts] == [NAME, None, NAME]
