from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from service.app import create_app
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running

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
