"""No route ignores a query parameter that it does not know, but those of protocols whose clients send their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from service.app import ROUTES, ServiceApp, create_app
from service.http.strict_query import StrictRoute
from tests.unit.service.fakes import (
    CUSTOMER,
    KEY_TEXT,
    KEYS,
    FakeLastKnownGood,
    FakeRegistry,
    FakeStore,
    make_model,
    make_settings,
    running,
    with_segments,
)

pytestmark = pytest.mark.anyio
# Triton's client has an argument `query_params`, and SageMaker's and MLflow's callers add what their gateways want.
OPEN = ("/v2", "/invocations", "/ping", "/health", "/version")


@pytest.fixture
def keyed(tmp_path: Path) -> ServiceApp:
    return create_app(
        make_settings(tmp_path, api_keys=KEYS),
        registry=FakeRegistry(with_segments(make_model())),
        store=FakeStore(),
        last_known_good=FakeLastKnownGood().last_known_good(),
    )


@pytest.fixture
async def asking(keyed: ServiceApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(keyed) as client:
        yield client


def is_open(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in OPEN)


def key_for(path: str) -> dict[str, str]:
    scope = "admin" if path.startswith("/admin") else "outcomes" if path in ("/outcomes", "/contacts") else "predict"
    return {"X-API-Key": KEY_TEXT[scope]}


def operations(app: ServiceApp) -> list[tuple[str, str, Any]]:
    return [
        (path.format(name="churn", version="1"), method.upper(), operation)
        for path, of in app.openapi()["paths"].items()
        for method, operation in of.items()
    ]


async def test_every_route_of_the_document_refuses_or_is_of_a_protocol(keyed: ServiceApp, asking: httpx2.AsyncClient) -> None:
    seen = set()
    for path, method, operation in operations(keyed):
        plain = await asking.request(method, path, headers=key_for(path))
        found = await asking.request(method, f"{path}?no_such=secret", headers=key_for(path))
        if is_open(path):
            assert found.status_code == plain.status_code, path
            continue
        seen.add(path)
        assert found.status_code == 422, (path, found.text)
        assert [one["field"] for one in found.json()["errors"]] == ["no_such"], path
        assert "secret" not in found.text
        assert "422" in operation["responses"], path
        if operation.get("security"):
            assert (await asking.request(method, f"{path}?no_such=1")).status_code == 401, path
    assert {"/predict", "/predict/batch", "/campaign/candidates", "/model", "/metrics", "/healthz"} <= seen


def test_no_route_is_forgotten_that_the_document_leaves_out() -> None:
    routes = [one for module in ROUTES for one in module.router.routes if isinstance(one, APIRoute)]
    assert {one.path for one in routes if not isinstance(one, StrictRoute)} == {one.path for one in routes if is_open(one.path)}
    assert {"/", "/docs"} <= {one.path for one in routes if isinstance(one, StrictRoute)}


@pytest.mark.parametrize(
    ("target", "fields", "words"),
    [
        ("/predict/batch?reasons=3", ["reasons"], "is no query parameter of this route (it has: segment)"),
        ("/predict?reason=3&reasons=2", ["reason"], "it has: reasons, segment"),
        ("/predict?reasons=2&reasons=3", ["reasons"], "is there twice"),
        ("/predict?Reasons=2", ["Reasons"], "it has: reasons, segment"),
        ("/predict?reasons=2&a=1&b&=", ["a", "b", "query"], "it has: reasons, segment"),
        ("/campaign/candidates?segment=true", ["segment"], "it has none"),
    ],
)
async def test_each_parameter_that_is_unknown_or_there_twice_is_named(
    asking: httpx2.AsyncClient, target: str, fields: list[str], words: str
) -> None:
    body = {"customers": [CUSTOMER]} if "batch" in target else CUSTOMER
    found = await asking.post(target, json=body, headers=key_for("/predict"))
    assert found.status_code == 422
    assert [one["field"] for one in found.json()["errors"]] == fields
    assert words in found.json()["errors"][0]["problem"]


@pytest.mark.parametrize("target", ["/predict?", "/predict?&", "/predict?segment=1", "/predict?segment=true&reasons=2"])
async def test_what_is_known_or_nothing_is_answered(asking: httpx2.AsyncClient, target: str) -> None:
    found = await asking.post(target, json=CUSTOMER, headers=key_for("/predict"))
    assert found.status_code == 200, found.text
    assert ("segment" in found.json()) == ("segment" in target)


async def test_many_are_not_all_repeated(asking: httpx2.AsyncClient) -> None:
    found = await asking.get("/model?" + "&".join(f"{'x' * 300}{n}=" for n in range(150)), headers=key_for("/model"))
    assert found.status_code == 422
    listed = found.json()["errors"]
    assert len(listed) == 100
    assert max(len(one["field"]) for one in listed) == 200


@pytest.mark.parametrize("number", ["1_0", "%2B1", "1.0", "%201", "1%0A", "1e1", "0x1", "%D9%A1", ""])
@pytest.mark.parametrize("path", ["/predict?reasons=", "/admin/failures?limit="])
async def test_a_number_is_digits_and_nothing_else(asking: httpx2.AsyncClient, path: str, number: str) -> None:
    method = "GET" if path.startswith("/admin") else "POST"
    response = await asking.request(method, path + number, json=CUSTOMER, headers=key_for(path))
    assert response.status_code == 422, response.text
    assert response.json()["errors"] == [{"field": path[:-1].partition("?")[2], "problem": "must be a whole number, in digits"}]
    response = await asking.request(method, f"{path}07", json=CUSTOMER, headers=key_for(path))
    assert response.status_code == 200, response.text
