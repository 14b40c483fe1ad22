from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.app import ServiceApp, create_app
from service.http.errors import TooLarge
from service.observability.logs import JsonLines
from tests.unit.service.fakes import CUSTOMER, KEY_TEXT, KEYS, FakeLastKnownGood, FakeRegistry, FakeStore, make_settings, running

pytestmark = pytest.mark.anyio
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def app_with(tmp_path: Path, store: FakeStore, registry: FakeRegistry, **changes: Any) -> Any:
    return create_app(
        make_settings(tmp_path, **changes), registry=registry, store=store, last_known_good=FakeLastKnownGood().last_known_good()
    )


async def test_a_request_keeps_its_id_or_gets_one(client: httpx2.AsyncClient) -> None:
    named = await client.get("/healthz", headers={"x-request-id": "order-7/3"})
    unnamed = [await client.get("/healthz") for _ in range(2)]
    insane = await client.get("/healthz", headers={"x-request-id": "a b"})
    long = await client.get("/healthz", headers={"x-request-id": "x" * 129})
    assert named.headers["x-request-id"] == "order-7/3"
    made = {r.headers["x-request-id"] for r in (*unnamed, insane, long)}
    assert len(made) == 4
    assert not made & {"a b", "x" * 129}


async def test_problems_carry_the_request_id_too(client: httpx2.AsyncClient) -> None:
    for response in (
        await client.post("/predict", json={"x": 1}, headers={"x-request-id": "r-1"}),
        await client.get("/nowhere", headers={"x-request-id": "r-1"}),
    ):
        assert response.headers["x-request-id"] == response.json()["request_id"] == "r-1"


async def test_a_trace_goes_on_with_a_span_of_our_own(client: httpx2.AsyncClient) -> None:
    response = await client.get("/healthz", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    version, trace, span, flags = response.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != PARENT
    assert len(span) == 16


async def test_excess_requests_are_shed_but_health_checks_are_not(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry
) -> None:
    async with running(app_with(tmp_path, store, registry, max_concurrent=2)) as client:
        store.gate.clear()
        held = [asyncio.create_task(client.post("/predict", json=CUSTOMER)) for _ in range(2)]
        await asyncio.to_thread(store.writing.wait, 10)
        while client_in_work(client) < 2:
            await asyncio.sleep(0.001)
        shed = await client.post("/predict", json=CUSTOMER)
        assert (shed.status_code, shed.json()["type"]) == (503, "urn:churn:problem:overloaded")
        assert shed.headers["retry-after"] == "1"
        for probe in ("/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"):
            assert (await client.get(probe)).status_code == 200
        assert "churn_requests_shed_total 1.0" in (await client.get("/metrics")).text
        store.gate.set()
        assert [(await one).status_code for one in held] == [200, 200]
        assert (await client.post("/predict", json=CUSTOMER)).status_code == 200


def client_in_work(client: httpx2.AsyncClient) -> int:
    app: ServiceApp = client._transport.app  # type: ignore[attr-defined]
    return app.limits.requests


async def test_callers_with_keys_have_rates_of_their_own(tmp_path: Path, store: FakeStore, registry: FakeRegistry) -> None:
    app = app_with(tmp_path, store, registry, api_keys=KEYS, rate_limit=0.001, rate_burst=2)
    async with running(app) as client:
        asked = [
            await client.get("/model", headers={"x-api-key": KEY_TEXT[scope]})
            for scope in ("predict", "predict", "predict", "outcomes")
        ]
        assert [r.status_code for r in asked] == [200, 200, 429, 200]
        assert asked[2].json()["type"] == "urn:churn:problem:too-many-requests"
        assert int(asked[2].headers["retry-after"]) > 900
        assert (await client.get("/healthz")).status_code == 200


async def test_every_route_documents_what_the_gateway_answers_in_its_place(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry
) -> None:
    app = app_with(tmp_path, store, registry, rate_limit=0.001, rate_burst=1)
    async with running(app) as client:
        await client.get("/model")
        answered = set()
        for path, operations in app.openapi()["paths"].items():
            for method, operation in operations.items():
                for headers in ([("host", "evil.example")], [("origin", "a"), ("origin", "b")], []):
                    url = path.format(name="churn", version="1")
                    response = await client.request(method, url, headers=headers)
                    assert str(response.status_code) in operation["responses"], (method, path, headers)
                    answered.add(response.status_code)
        assert {400, 421, 429} <= answered


async def test_refused_requests_leave_nothing_behind(tmp_path: Path, store: FakeStore, registry: FakeRegistry) -> None:
    async with running(app_with(tmp_path, store, registry)) as client:
        for _ in range(3):
            await client.post("/predict", json={"x": 1})
            await client.get("/nowhere")
        assert client_in_work(client) == 0


async def test_a_body_that_does_not_arrive_times_out(tmp_path: Path, store: FakeStore, registry: FakeRegistry) -> None:
    async def never() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    async with running(app_with(tmp_path, store, registry, body_timeout_seconds=0.01)) as client:
        response = await client.post("/predict", content=never(), headers={"content-type": "application/json"})
        assert (response.status_code, response.json()["type"]) == (408, "urn:churn:problem:too-slow")


@pytest.mark.parametrize(("level", "noted"), [("errors", [422]), ("all", [200, 422]), ("off", [])])
async def test_the_access_log_tells_what_is_asked_of_it_and_nothing_personal(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry, caplog: pytest.LogCaptureFixture, level: str, noted: list[int]
) -> None:
    caplog.set_level(logging.INFO, "service.access")
    async with running(app_with(tmp_path, store, registry, access_log=level)) as client:
        await client.post("/predict?reasons=1", json={**CUSTOMER, "customer_id": "jane-doe"})
        await client.post("/predict", json={**CUSTOMER, "customer_id": "jane-doe", "state": "Janes state", "jane": 1})
    records = [record for record in caplog.records if record.name == "service.access"]
    assert [record.__dict__["status"] for record in records] == noted
    lines = "\n".join(JsonLines().format(record) for record in caplog.records)
    assert "jane" not in lines.lower()
    for record in records:
        line = json.loads(JsonLines().format(record))
        assert (line["route"], line["method"], line["level"]) == ("/predict", "POST", "info")
        assert line["duration_ms"] >= 0


async def test_rejected_requests_are_counted_and_sampled_without_values(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry
) -> None:
    async with running(app_with(tmp_path, store, registry, failed_requests_kept=3)) as client:
        for n in range(3):
            await client.post("/predict", json={"total_day_minutes": -n, "Jane Doe": 1, "state": "Jane"})
        await client.get("/nowhere")
        await client.post("/predict", content=b"{", headers={"content-type": "application/json"})
        answer = (await client.get("/admin/failures?limit=2")).json()["failures"]
        everything = (await client.get("/admin/failures")).text
        metrics = (await client.get("/metrics")).text
    assert [one["problem"] for one in answer] == ["unprocessable", "not-found"]
    assert 'churn_rejected_total{problem="unprocessable"} 4.0' in metrics
    assert "Jane" not in everything
    assert "(unknown)" in everything
    assert "total_day_minutes" in everything
    assert len(json.loads(everything)["failures"]) == 3
    kept = b"".join(file.read_bytes() for file in (tmp_path / "failed-requests").iterdir())
    assert b"Jane" not in kept
    assert kept.count(b"\n") == 3


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/contacts", {"contacts": [{"customer_id": "a", "campaign": 7}]}, "contacts.0.campaign"),
        ("/contacts", {"contacts": [{"customer_id": "a", "contacted_at": "noon"}]}, "contacts.0.contacted_at"),
        ("/outcomes", {"outcomes": [{"prediction_id": "a", "withdrawn": 1}]}, "outcomes.0.withdrawn"),
        ("/predict/batch", b"customer_id,state\na,XX\n", "rows.0.state"),
        ("/campaign/candidates", b"customer_id,state\na,XX\n", "rows.0.state"),
        ("/invocations", {"dataframe_records": 1}, "dataframe_records"),
    ],
)
async def test_a_rejected_request_names_the_fields_of_every_body(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry, path: str, body: Any, told: str
) -> None:
    sent: Any = {"content": body, "headers": {"content-type": "text/csv"}} if isinstance(body, bytes) else {"json": body}
    async with running(app_with(tmp_path, store, registry)) as client:
        assert (await client.post(path, **sent)).status_code == 422
        (failure,) = (await client.get("/admin/failures")).json()["failures"]
    assert told in [error["field"] for error in failure["errors"]]


async def test_every_line_of_a_request_names_the_model_that_answers_it(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service.access")
    async with running(app_with(tmp_path, store, registry, access_log="all")) as client:
        await client.post("/predict", json=CUSTOMER)
        await client.post("/predict/batch", json={"customers": [CUSTOMER]})
        await client.get("/version")
    records = [record for record in caplog.records if record.name == "service.access"]
    assert [record.__dict__["model_version"] for record in records] == ["1", "1", None]


@pytest.mark.parametrize("error", [TooLarge("a body that grew"), RuntimeError("a bug")])
@pytest.mark.parametrize("begun", [True, False])
async def test_no_answer_is_begun_twice_and_what_took_room_leaves_it(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry, begun: bool, error: Exception
) -> None:
    """What fails behind the gateway and is not handled there fails: a bug is answered once, unless an answer is on its way."""
    service = app_with(tmp_path, store, registry, max_concurrent=1)

    async def failing(_scope: Any, _receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    service.gateway.app = failing
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "query_string": b"", "client": ("127.0.0.1", 1)}
    async with service.lifespan():
        for _ in range(3):  # with room for one: each has left it
            sent: list[Any] = []

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            with pytest.raises(type(error)):
                await service.gateway(dict(scope), receive, send)
            starts = [message["status"] for message in sent if message["type"] == "http.response.start"]
            assert starts == ([200] if begun else [500] if isinstance(error, RuntimeError) else [])


async def test_slow_requests_are_exemplars_and_of_the_others_one_a_second(
    tmp_path: Path, store: FakeStore, registry: FakeRegistry
) -> None:
    async with running(app_with(tmp_path, store, registry)) as client:
        for name in ("the-first", "the-second"):
            await client.post(
                "/predict", json=CUSTOMER, headers={"x-request-id": name, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
            )
        text = (await client.get("/metrics", headers={"accept": "application/openmetrics-text"})).text
    exemplars = [line for line in text.splitlines() if "# {" in line and 'route="/predict"' in line]
    assert any('request_id="the-first"' in line and f'trace_id="{"a" * 32}"' in line for line in exemplars)
    assert text.endswith("# EOF\n")
