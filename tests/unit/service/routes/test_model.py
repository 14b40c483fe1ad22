from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from churn.errors import ModelRefused
from service.app import create_app
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running

pytestmark = pytest.mark.anyio
CARD = "# Model card: churn, version 2\n\nFür Menschen.\n"


async def test_the_card_of_the_model_in_service_is_markdown(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    registry.models["2"], registry.champion = replace(make_model("2"), card=CARD), "2"
    await client.post("/admin/reload")
    response = await client.get("/model/card")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.content.decode("utf-8") == CARD


async def test_a_model_without_a_card_gets_one_of_what_is_known(client: httpx2.AsyncClient) -> None:
    response = await client.get("/model/card")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.text.startswith("# Model card: churn, version 1\n")
    for word in ("SIMULATED", "digest-1", "`total_day_minutes`", "Minutes called by day", "roc_auc", "Not recorded."):
        assert word in response.text


async def test_without_a_model_there_is_no_card(tmp_path: Path) -> None:
    app = create_app(
        make_settings(tmp_path), registry=FakeRegistry(), store=FakeStore(), last_known_good=FakeLastKnownGood().last_known_good()
    )
    async with running(app) as client:
        response = await client.get("/model/card")
    assert (response.status_code, response.json()["type"]) == (503, "urn:churn:problem:no-model")


async def test_rollback_route_goes_back_and_tells(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    answer = await client.post("/admin/rollback")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:churn:problem:no-previous-model")
    registry.models["2"], registry.champion = make_model("2"), "2"
    await client.post("/admin/reload")
    answer = await client.post("/admin/rollback", json={"reason": "complaints"})
    assert answer.json() == {"model_version": "1", "replaced": "2", "recorded": True}
    assert registry.rollbacks == [("2", "1", "api", "complaints")]
    assert (await client.post("/predict", json=CUSTOMER)).json()["model_version"] == "1"
    assert (await client.get("/model")).json()["aliases"] == ["champion"]
    for wrong in ({"reason": ""}, {"reason": 3}, {"reason": "no\x00text"}, {"reason": "x" * 2_001}, {"why": "x"}, []):
        assert (await client.post("/admin/rollback", json=wrong)).status_code == 422


async def test_model_route_describes_what_serves(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    body = (await client.get("/model")).json()
    expected = {"version": "1", "aliases": ["champion"], "loaded_from": "registry", "data_digest": "digest-1", "threshold": 0.5}
    assert {name: body[name] for name in expected} == expected
    assert body["features"] == ["total_day_minutes", "customer_service_calls", "international_plan"]
    assert (body["metrics"], body["trained_at"]) == ({"roc_auc": 0.8}, "2026-01-02T00:00:00Z")


async def test_reload_takes_the_champion_now(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    assert (await client.post("/admin/reload")).json() == {"result": "unchanged", "model_version": "1"}
    registry.models["2"], registry.champion = make_model("2"), "2"
    assert (await client.post("/admin/reload")).json() == {"result": "loaded", "model_version": "2"}
    assert (await client.post("/predict", json=CUSTOMER)).json()["model_version"] == "2"


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [({"champion": "2"}, 409, "model-refused"), ({"away": True}, 503, "registry-away"), ({"champion": None}, 503, "no-model")],
)
async def test_reload_that_fails_says_why_and_the_old_model_serves(
    client: httpx2.AsyncClient, registry: FakeRegistry, change: dict[str, Any], status: int, kind: str
) -> None:
    registry.models["2"] = ModelRefused("version 2 holds secret types")
    for name, value in change.items():
        setattr(registry, name, value)
    response = await client.post("/admin/reload")
    assert (response.status_code, response.json()["type"]) == (status, f"urn:churn:problem:{kind}")
    assert "secret" not in response.text
    assert (await client.post("/predict", json=CUSTOMER)).json()["model_version"] == "1"


async def test_model_from_disk_is_not_called_champion(tmp_path: Path) -> None:
    registry = FakeRegistry()
    registry.away = True
    last_known_good = FakeLastKnownGood(make_model("7")).last_known_good()
    async with running(
        create_app(make_settings(tmp_path), registry=registry, store=FakeStore(), last_known_good=last_known_good)
    ) as client:
        body = (await client.get("/model")).json()
        assert (body["version"], body["aliases"], body["loaded_from"]) == ("7", [], "disk")
        assert (await client.get("/readyz")).status_code == 200
