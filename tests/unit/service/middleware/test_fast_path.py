from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.app import ServiceApp, create_app
from service.routes import predict
from tests.unit.service.fakes import CUSTOMER, KEY_TEXT, KEYS, FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running
from tests.unit.service.wire import WireTransport

pytestmark = pytest.mark.anyio
PLAIN = {"content-type": "application/json"}
# Means the same, and is not the usual spelling.
UNUSUAL = {"content-type": "application/json; charset=utf-8"}
OWN = ("prediction_id", "instance", "request_id")


@asynccontextmanager
async def served(app: ServiceApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app), httpx2.AsyncClient(transport=WireTransport(app), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
async def client(app: ServiceApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(app) as client:
        yield client


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What came to FastAPI's route."""
    seen: list[Any] = []
    parse_json = predict.parse_json

    def noted(model: Any, body: bytes) -> Any:
        parsed = parse_json(model, body)
        seen.append(parsed)
        return parsed

    monkeypatch.setattr(predict, "parse_json", noted)
    return seen


def comparable(response: httpx2.Response) -> tuple[Any, ...]:
    body = {name: value for name, value in response.json().items() if name not in OWN}
    return response.status_code, response.headers["content-type"], body


CUSTOMERS = [
    CUSTOMER,
    {**CUSTOMER, "customer_id": "c-1"},
    {"total_day_minutes": None, "customer_service_calls": 2},
    {**CUSTOMER, "international_plan": False, "area_code": 415, "state": "KS"},
]


async def test_who_wants_no_contacts_gets_none_on_the_fast_path(app: ServiceApp, store: FakeStore, slow: list[Any]) -> None:
    store.opted_out = {"c-1": True}
    leaves = {**CUSTOMER, "total_day_minutes": 350.0}
    async with served(app) as client:
        answers = [
            (await client.post("/predict", json={**leaves, "customer_id": n}, headers=PLAIN)).json() for n in ("c-1", "c-2")
        ]
    assert [(one["churn"], one["action"]) for one in answers] == [(True, "none"), (True, "contact")]
    assert not slow


@pytest.mark.parametrize("customer", CUSTOMERS)
@pytest.mark.parametrize("query", ["", "?reasons=2"])
async def test_fast_path_and_route_give_the_same_answer_and_the_same_record(
    client: httpx2.AsyncClient, store: FakeStore, slow: list[Any], customer: dict[str, Any], query: str
) -> None:
    fast = await client.post(f"/predict{query}", json=customer, headers=PLAIN)
    assert not slow, "a plain request went to the route"
    long = await client.post(f"/predict{query}", json=customer, headers=UNUSUAL)
    assert len(slow) == 1
    assert fast.status_code == 200
    assert comparable(fast) == comparable(long)
    first, second = store.rows
    assert first[3:] == second[3:]
    assert (first.prediction_id, second.prediction_id) == (fast.json()["prediction_id"], long.json()["prediction_id"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", b'{"total_day_minutes": -1}'),
        ("/predict", b'{"total_day_minutes": 1, "total_day_minutes": 2}'),
        ("/predict", b"{"),
        ("/predict", b""),
        ("/predict", b'{"state": "OH", "total_day_minutes": "' + b"9" * 70_000 + b'"}'),
        ("/predict?reasons=0", b'{"total_day_minutes": 1}'),
        ("/predict?reasons=x", b'{"total_day_minutes": 1}'),
        ("/predict/", b'{"total_day_minutes": 1}'),
    ],
)
async def test_errors_are_those_of_the_route(client: httpx2.AsyncClient, store: FakeStore, path: str, body: bytes) -> None:
    fast = await client.post(path, content=body, headers=PLAIN)
    long = await client.post(path, content=body, headers=UNUSUAL)
    assert fast.status_code >= 400
    assert comparable(fast) == comparable(long)
    assert not store.rows


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 422), ("identity", 200), ("br", 415), ("gzip, gzip", 415)])
async def test_a_body_that_is_said_to_be_packed_is_not_taken_as_it_is(
    client: httpx2.AsyncClient, encoding: str, status: int
) -> None:
    answer = await client.post(
        "/predict",
        content=b'{"total_day_minutes":265.1,"international_plan":"Yes"}',
        headers={**PLAIN, "content-encoding": encoding},
    )
    assert answer.status_code == status, answer.text


async def test_other_spellings_of_reasons_are_understood(client: httpx2.AsyncClient, slow: list[Any]) -> None:
    response = await client.post("/predict?reasons=03", json=CUSTOMER, headers=PLAIN)
    assert len(response.json()["reasons"]) == 3
    assert len(slow) == 1


async def test_the_fast_path_asks_for_keys(tmp_path: Path, registry: FakeRegistry, store: FakeStore) -> None:
    app = create_app(
        make_settings(tmp_path, api_keys=KEYS),
        registry=registry,
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with served(app) as client:
        answers = {
            name: (await client.post("/predict", json=CUSTOMER, headers={**PLAIN, **headers})).status_code
            for name, headers in {
                "none": {},
                "unknown": {"x-api-key": "guessed"},
                "other scope": {"x-api-key": KEY_TEXT["outcomes"]},
                "right": {"x-api-key": KEY_TEXT["predict"]},
                "bearer": {"authorization": f"Bearer {KEY_TEXT['predict']}"},
            }.items()
        }
    assert answers == {"none": 401, "unknown": 401, "other scope": 403, "right": 200, "bearer": 200}


async def test_it_is_measured_like_every_request(client: httpx2.AsyncClient) -> None:
    await client.post("/predict", json=CUSTOMER, headers=PLAIN)
    await client.post("/predict", json=CUSTOMER, headers=UNUSUAL)
    await client.post("/predict", content=b"{", headers=PLAIN)
    metrics = (await client.get("/metrics")).text
    assert 'churn_http_requests_total{method="POST",route="/predict",status="200"} 2.0' in metrics
    assert 'churn_http_requests_total{method="POST",route="/predict",status="422"} 1.0' in metrics
    assert "churn_predicted_probability_count 2.0" in metrics


async def test_neither_store_nor_model_is_a_503(
    app: ServiceApp, client: httpx2.AsyncClient, registry: FakeRegistry, tmp_path: Path
) -> None:
    empty = create_app(
        make_settings(tmp_path / "e"),
        registry=FakeRegistry(),
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with served(empty) as nobody:
        response = await nobody.post("/predict", json=CUSTOMER, headers=PLAIN)
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert response.headers["retry-after"] == "1"


async def test_requests_side_by_side_are_logged_each_once(client: httpx2.AsyncClient, store: FakeStore) -> None:
    answers = await asyncio.gather(*(client.post("/predict", json={**CUSTOMER, "customer_id": f"c-{n}"}) for n in range(50)))
    logged = {row.customer_id: row.prediction_id for row in store.rows}
    assert {a.json()["customer_id"]: a.json()["prediction_id"] for a in answers} == logged
    assert len(store.rows) == 50
