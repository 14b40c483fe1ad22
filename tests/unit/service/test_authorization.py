from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.app import create_app
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
)

OPEN = [("GET", path, None) for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json")]
GUARDED: list[tuple[str, str, Any, str | None]] = [
    ("POST", "/predict", CUSTOMER, "predict"),
    ("POST", "/predict/batch", {"customers": [CUSTOMER]}, "predict"),
    ("POST", "/outcomes", {"outcomes": [{"prediction_id": "p", "churned": True}]}, "outcomes"),
    ("POST", "/contacts", {"contacts": [{"prediction_id": "p"}]}, "outcomes"),
    ("POST", "/admin/reload", None, "admin"),
    ("GET", "/model", None, None),
    ("GET", "/model/card", None, None),
]


def guarded_app(home: Path, keys: str = KEYS) -> Any:
    settings = make_settings(home, api_keys=keys)
    return create_app(
        settings, registry=FakeRegistry(make_model()), store=FakeStore(), last_known_good=FakeLastKnownGood().last_known_good()
    )


async def ask(client: httpx2.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx2.Response:
    return await client.request(method, path, json=body, headers=headers)


@pytest.mark.anyio
async def test_without_keys_every_route_is_open(client: httpx2.AsyncClient) -> None:
    for method, path, body, *_ in (*OPEN, *GUARDED):
        assert (await ask(client, method, path, body, {})).status_code == 200, path


@pytest.mark.anyio
async def test_with_keys_each_route_lets_in_its_scope_only(tmp_path: Path) -> None:
    async with running(guarded_app(tmp_path)) as client:
        for method, path, body in OPEN:
            assert (await ask(client, method, path, body, {})).status_code == 200, path
        for method, path, body, needed in GUARDED:
            for wrong in (
                {},
                {"X-API-Key": "guess"},
                {"X-API-Key": ""},
                {"Authorization": "Bearer guess"},
                {"Authorization": "Basic eA=="},
            ):
                response = await ask(client, method, path, body, wrong)
                assert (response.status_code, response.json()["status"]) == (401, 401), (path, wrong)
                assert response.headers["www-authenticate"].startswith("Bearer")
                assert "guess" not in response.text
            for scope, key in KEY_TEXT.items():
                expected = 200 if needed in (None, scope) else 403
                for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
                    assert (await ask(client, method, path, body, headers)).status_code == expected, (path, scope)


@pytest.mark.anyio
async def test_key_is_asked_for_before_the_body_is_read(tmp_path: Path) -> None:
    async with running(guarded_app(tmp_path)) as client:
        assert (await client.post("/predict", content=b"{")).status_code == 401


@pytest.mark.anyio
async def test_key_may_be_any_text(tmp_path: Path) -> None:
    async with running(guarded_app(tmp_path)) as client:
        assert (await client.get("/model", headers={"X-API-Key": "schlüssel".encode("latin-1")})).status_code == 401
