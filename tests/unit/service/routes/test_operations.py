from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.app import ServiceApp, create_app
from service.observability.metrics import forget_dead_workers
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running

pytestmark = pytest.mark.anyio
ROUTES = {
    ("POST", "/predict"),
    ("POST", "/predict/batch"),
    ("POST", "/outcomes"),
    ("POST", "/contacts"),
    ("POST", "/campaign/candidates"),
    ("GET", "/model"),
    ("GET", "/model/card"),
    ("POST", "/admin/reload"),
    ("POST", "/admin/rollback"),
    ("GET", "/admin/failures"),
    ("POST", "/invocations"),
    ("GET", "/ping"),
    ("GET", "/health"),
    ("GET", "/version"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    *(("GET", f"/v2/models/{{name}}{version}{ready}") for version in ("", "/versions/{version}") for ready in ("", "/ready")),
    *(("POST", f"/v2/models/{{name}}{version}/infer") for version in ("", "/versions/{version}")),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}


async def samples(client: httpx2.AsyncClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Name and label values, in the order of the labels' names."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return {
        (s.name, tuple(value for _, value in sorted(s.labels.items()))): s.value for family in families for s in family.samples
    }


async def test_metrics_have_the_promised_names_and_count_predictions(client: httpx2.AsyncClient) -> None:
    low = {**CUSTOMER, "total_day_minutes": 0, "customer_service_calls": None}
    await client.post("/predict", json=CUSTOMER)
    await client.post("/predict/batch", json={"customers": [low, low]})
    await client.post("/predict", json={})
    found = await samples(client)
    assert found["churn_predictions_total", ("churn", "1")] == 1
    assert found["churn_predictions_total", ("stay", "1")] == 2
    assert found["churn_predicted_probability_count", ()] == 3
    assert found["churn_feature_missing_total", ("customer_service_calls",)] == 2
    assert found["churn_feature_missing_total", ("total_day_minutes",)] == 0
    assert found["churn_http_requests_total", ("POST", "/predict", "200")] == 1
    assert found["churn_http_requests_total", ("POST", "/predict", "422")] == 1
    assert found["churn_http_request_duration_seconds_count", ("/predict",)] == 2
    assert found["churn_model_info", ("digest-1", "run-1", "1")] == 1
    assert found["churn_model_loaded_timestamp_seconds", ()] > 1.7e9
    assert found["churn_model_reloads_total", ("loaded",)] == 1
    assert found["churn_log_written_total", ()] == 3
    assert (found["churn_log_spooled", ()], found["churn_log_lag_seconds", ()]) == (0, 0)


async def test_labels_of_requests_are_bounded(client: httpx2.AsyncClient) -> None:
    for n in range(5):
        await client.get(f"/nothing/{n}")
        await client.request(f"BREW{n}", "/predict")
    found = await samples(client)
    assert found["churn_http_requests_total", ("GET", "unmatched", "404")] == 5
    assert found["churn_http_requests_total", ("other", "/predict", "405")] == 5


async def test_unexpected_errors_are_counted_as_500(client: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away, store.error = True, RuntimeError("a bug")
    await client.post("/predict", json=CUSTOMER)
    assert (await samples(client))["churn_http_requests_total", ("POST", "/predict", "500")] == 1


async def test_metrics_in_the_format_that_is_asked_for(client: httpx2.AsyncClient) -> None:
    plain = await client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    openmetrics = await client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


async def test_two_apps_count_apart(tmp_path: Path, client: httpx2.AsyncClient) -> None:
    await client.post("/predict", json=CUSTOMER)
    other = create_app(
        make_settings(tmp_path),
        registry=FakeRegistry(make_model()),
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    async with running(other) as second:
        assert (await samples(second))["churn_log_written_total", ()] == 0


def test_gauges_of_dead_workers_are_deleted(tmp_path: Path) -> None:
    gone = 2**22 + 1  # above the largest process id Linux gives
    for name in (f"gauge_livemax_{gone}.db", f"counter_{gone}.db", "gauge_livemax_1.db"):
        (tmp_path / name).touch()
    forget_dead_workers(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([f"counter_{gone}.db", "gauge_livemax_1.db"])


async def test_ready_while_model_and_log_are_there(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"status": "ready", "model_version": "1", "log": "store"}
    assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_not_ready_names_all_that_is_missing_and_healthz_stays(tmp_path: Path, store: FakeStore) -> None:
    app = create_app(
        make_settings(tmp_path, spool_max_bytes=0),
        registry=FakeRegistry(),
        store=store,
        last_known_good=FakeLastKnownGood().last_known_good(),
    )
    store.away = True
    async with running(app) as client:
        app.state.draining = True
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["type"]) == (503, "urn:churn:problem:not-ready")
        assert [e["field"] for e in response.json()["errors"]] == ["service", "model", "log"]
        assert "secret" not in response.text
        assert (await client.get("/healthz")).status_code == 200


async def test_failed_write_shows_in_readyz(spoolless: httpx2.AsyncClient, store: FakeStore) -> None:
    store.away, client = True, spoolless
    await client.post("/predict", json=CUSTOMER)
    store.away = False
    assert [e["field"] for e in (await client.get("/readyz")).json()["errors"]] == ["log"]
    assert (await client.post("/predict", json=CUSTOMER)).status_code == 200
    assert (await client.get("/readyz")).status_code == 200


async def test_shutdown_closes_the_store(app: ServiceApp, store: FakeStore) -> None:
    async with running(app):
        assert not store.closed
    assert store.closed


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/predict/", 404, "not-found"),
        ("GET", "/predict", 405, "method-not-allowed"),
        ("DELETE", "/model", 405, "method-not-allowed"),
        ("GET", "/%ff%00%0a<script>", 404, "not-found"),
    ],
)
async def test_wrong_address_or_method_is_a_problem(
    client: httpx2.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "request_id", "errors"}
    assert (body["type"], body["status"]) == (f"urn:churn:problem:{kind}", status)
    if status == 405:
        for allowed in response.headers["allow"].split(", "):
            assert (await client.request(allowed, path)).status_code != 405
        assert ("GET" in response.headers["allow"]) is ((await client.head(path)).status_code != 405)


async def test_every_route_is_documented_with_its_problems(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == ROUTES
    schemas = document["components"]["schemas"]
    references = re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', (await client.get("/openapi.json")).text)
    assert set(references) <= set(schemas)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                media = {"application/problem+json"} if int(status) >= 400 else set(answer["content"])
                assert set(answer["content"]) == media, (path, status)
            assert "HTTPValidationError" not in str(operation)
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Customer"}
    assert "Unit: minutes." in schemas["Customer"]["properties"]["total_day_minutes"]["description"]
    assert schemas["BatchRequest"]["properties"]["customers"]["maxItems"] == 100_000
    for path in ("/predict", "/predict/batch", "/outcomes", "/contacts", "/campaign/candidates"):
        assert set(document["paths"][path]["post"]["responses"]) >= {"200", "401", "403", "413", "415", "422", "503", "500"}
        assert document["paths"][path]["post"]["security"]


async def test_docs_page_loads_nothing_from_other_sites(client: httpx2.AsyncClient) -> None:
    response = await client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "<script" not in response.text
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", response.text)
    for _, path in ROUTES:
        assert f"<code>{path}</code>" in response.text
    assert "total_day_minutes" in response.text


async def test_client_that_leaves_in_the_middle_of_its_body_is_no_server_error(
    client: httpx2.AsyncClient, app: ServiceApp
) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "raw_path": b"/predict", "query_string": b"", "headers": []}
    await app({**scope, "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("churn", 80)}, receive, send)
    assert sent[0]["status"] == 400
