"""Every answer says what is to be done, and what is said is what is logged."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.campaigns.control_group import ControlGroup
from service.app import create_app
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running

pytestmark = pytest.mark.anyio
SHARE = 0.5
# Some of the control group, and some others.
OPTED_OUT = [f"c{n}" for n in range(2, 30, 4)]
LEAVES = {**CUSTOMER, "customer_service_calls": 9, "total_day_minutes": 350.0}
STAYS = {**CUSTOMER, "customer_service_calls": 0, "total_day_minutes": 100.0, "international_plan": "No"}
CUSTOMERS: list[dict[str, Any]] = [
    {**features, **({"customer_id": f"c{n}"} if n % 3 else {})} for n in range(30) for features in (LEAVES, STAYS)
]


@pytest.fixture
async def client(
    tmp_path: Path, registry: FakeRegistry, store: FakeStore, last_known_good: FakeLastKnownGood
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = make_settings(tmp_path, control_share=SHARE)
    store.opted_out = dict.fromkeys(OPTED_OUT, True) | {"c1": False}
    app = create_app(settings, registry=registry, store=store, last_known_good=last_known_good.last_known_good())
    async with running(app) as client:
        yield client


def expected(customer: dict[str, Any], churn: bool) -> str:
    if not churn or customer.get("customer_id") in OPTED_OUT:
        return "none"
    return "hold_out" if ControlGroup(SHARE).has(customer.get("customer_id")) else "contact"


async def test_one_by_one(client: httpx2.AsyncClient, store: FakeStore) -> None:
    found = set()
    for customer, path in zip(CUSTOMERS, ("/predict", "/predict?reasons=2", "/predict?reasons=02") * 20, strict=True):
        answer = (await client.post(path, json=customer)).json()
        assert answer["action"] == expected(customer, answer["churn"])
        # Chance alone says who is held out, whatever they want.
        assert store.rows[-1].held_out is (answer["churn"] and ControlGroup(SHARE).has(customer.get("customer_id")))
        found.add(answer["action"])
    assert found == {"contact", "hold_out", "none"}
    assert {ControlGroup(SHARE).has(name) for name in OPTED_OUT} == {True, False}


@pytest.mark.parametrize("media", ["application/json", "text/csv", "parquet", "arrow"])
async def test_in_batches_of_every_format(client: httpx2.AsyncClient, store: FakeStore, media: str) -> None:
    accept = {"parquet": "application/vnd.apache.parquet", "arrow": "application/vnd.apache.arrow.stream"}.get(media, media)
    answer = await client.post("/predict/batch", json={"customers": CUSTOMERS}, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]]
    if media == "application/json":
        rows = answer.json()["predictions"]
    elif media == "text/csv":
        rows = [{**row, "churn": row["churn"] == "true"} for row in csv.DictReader(StringIO(answer.text))]
    elif media == "parquet":
        rows = pq.read_table(BytesIO(answer.content)).to_pylist()
    else:
        rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    actions = [row["action"] for row in rows]
    assert actions == [expected(customer, row["churn"]) for customer, row in zip(CUSTOMERS, rows, strict=True)]
    assert set(actions) == {"contact", "hold_out", "none"}
    named = [customer.get("customer_id") for customer in CUSTOMERS]
    assert [row.held_out for row in store.rows] == [
        row.churn and ControlGroup(SHARE).has(name) for row, name in zip(store.rows, named, strict=True)
    ]
