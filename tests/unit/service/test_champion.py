from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from churn.contract import load_contract
from churn.errors import ModelRefused, NoModel, RegistryError
from churn.model import Model
from service.app import create_app
from service.champion import ChampionFollower, ModelHolder, Shelf
from service.metrics import ServiceMetrics
from tests.unit.service.fakes import CUSTOMER, FakeRegistry, FakeShelf, FakeStore, make_model, make_settings, running

pytestmark = pytest.mark.anyio


class Following:
    """A follower with everything around it, and a clock that a test moves."""

    def __init__(self, registry: FakeRegistry, shelf: Shelf | None = None, poll_seconds: float = 3600) -> None:
        self.time = 0.0
        self.holder = ModelHolder()
        self.metrics = ServiceMetrics(load_contract())
        self.kept = FakeShelf()
        self.follower = ChampionFollower(
            registry,
            self.holder,
            shelf if shelf is not None else self.kept.shelf(),
            contract=load_contract(),
            metrics=self.metrics,
            poll_seconds=poll_seconds,
            clock=lambda: self.time,
        )

    def reloads(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("churn_model_reloads_total", {"result": result}) or 0.0

    def in_service(self, version: str) -> float | None:
        labels = {"version": version, "run_id": f"run-{version}", "data_digest": f"digest-{version}"}
        return self.metrics.registry.get_sample_value("churn_model_info", labels)


async def test_new_champion_takes_over_and_is_remembered() -> None:
    registry = FakeRegistry(make_model("1"))
    following = Following(registry)
    assert await following.follower.take_champion() is True
    assert await following.follower.take_champion() is False
    assert registry.loads == ["1"]
    registry.models["2"], registry.champion = make_model("2", slope=2), "2"
    assert await following.follower.take_champion() is True
    assert following.holder.current().version == "2"
    assert following.kept.model is registry.models["2"]
    assert (following.in_service("1"), following.in_service("2")) == (0.0, 1.0)
    assert following.reloads("loaded") == 2


async def test_refused_version_leaves_the_old_one_and_is_tried_again_only_after_a_pause() -> None:
    registry = FakeRegistry(make_model("1"))
    following = Following(registry, poll_seconds=2)
    await following.follower.take_champion()
    registry.models["2"], registry.champion = ModelRefused("version 2 holds types that are not trusted"), "2"
    with pytest.raises(ModelRefused):
        await following.follower.take_champion()
    assert following.holder.current().version == "1"
    assert following.kept.model is registry.models["1"]
    following.time = 3.9
    assert await following.follower.take_champion() is False
    assert registry.loads == ["1", "2"]
    following.time = 4.1
    with pytest.raises(ModelRefused):
        await following.follower.take_champion()
    following.time = 4.1 + 7.9  # the pause doubles
    assert await following.follower.take_champion() is False
    with pytest.raises(ModelRefused):
        await following.follower.take_champion(insist=True)
    assert following.reloads("refused") == 3
    registry.models["2"] = make_model("2")
    assert await following.follower.take_champion(insist=True) is True


async def test_another_champion_after_a_refused_one_is_taken_at_once() -> None:
    registry = FakeRegistry(make_model("3"))
    registry.models["2"], registry.champion = ModelRefused("no"), "2"
    following = Following(registry)
    with pytest.raises(ModelRefused):
        await following.follower.take_champion()
    registry.champion = "3"
    assert await following.follower.take_champion() is True


async def test_registry_away_leaves_the_model_in_service() -> None:
    registry = FakeRegistry(make_model("1"))
    following = Following(registry)
    await following.follower.take_champion()
    registry.away = True
    with pytest.raises(RegistryError):
        await following.follower.take_champion()
    assert following.holder.current().version == "1"
    assert following.reloads("unreachable") == 1


async def test_start_takes_the_last_known_good_model_when_the_registry_is_away_then_follows() -> None:
    registry = FakeRegistry(make_model("1"))
    registry.away = True
    following = Following(registry, FakeShelf(make_model("1", slope=3)).shelf(), poll_seconds=0.01)
    await following.follower.start()
    try:
        assert following.holder.current().loaded_from == "disk"
        registry.away = False
        async with asyncio.timeout(10):
            # The number is the same; the registry's model is taken nevertheless.
            while following.holder.current().loaded_from == "disk":
                await asyncio.sleep(0.01)
        assert following.holder.current().model is registry.models["1"]
    finally:
        await following.follower.stop()


async def test_start_with_nothing_takes_the_first_champion_there_is() -> None:
    registry = FakeRegistry()
    following = Following(registry, poll_seconds=0.01)
    await following.follower.start()
    try:
        with pytest.raises(NoModel):
            following.holder.current()
        registry.models["1"], registry.champion = make_model("1"), "1"
        async with asyncio.timeout(10):
            while following.holder.peek() is None:
                await asyncio.sleep(0.01)
        assert following.reloads("unreachable") == 0
    finally:
        await following.follower.stop()


async def test_broken_last_known_good_model_does_not_stop_the_start() -> None:
    def refuse() -> Model:
        raise ModelRefused("not a model")

    registry = FakeRegistry()
    registry.away = True
    for take in (refuse, lambda: make_model("9", features=["shoe_size"])):
        following = Following(registry, Shelf(lambda _: None, take))
        await following.follower.start()
        await following.follower.stop()
        assert following.holder.peek() is None


async def test_a_bug_in_the_registry_is_logged_with_its_traceback_and_following_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    registry = FakeRegistry(make_model("1"))
    good = registry.models["1"]
    registry.models["1"] = ZeroDivisionError("a bug")
    following = Following(registry, poll_seconds=0.01)
    with caplog.at_level(logging.ERROR):
        await following.follower.start()
    assert caplog.records[0].exc_info is not None
    assert following.reloads("failed") >= 1
    registry.models["1"] = good
    try:
        async with asyncio.timeout(10):
            while following.holder.peek() is None:
                await asyncio.sleep(0.01)
    finally:
        await following.follower.stop()


async def test_full_disk_does_not_keep_a_champion_from_serving() -> None:
    def full(_: Model) -> None:
        raise OSError(28, "No space left on device")

    following = Following(FakeRegistry(make_model("1")), Shelf(full, lambda: None))
    assert await following.follower.take_champion() is True
    assert following.holder.current().version == "1"


async def test_same_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = FakeRegistry()
    registry.away = True
    following = Following(registry)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            with pytest.raises(RegistryError):
                await following.follower.take_champion()
    assert len(caplog.records) == 1


async def test_model_route_describes_what_serves(client: httpx.AsyncClient, registry: FakeRegistry) -> None:
    body = (await client.get("/model")).json()
    expected = {"version": "1", "aliases": ["champion"], "loaded_from": "registry", "data_digest": "digest-1", "threshold": 0.5}
    assert {name: body[name] for name in expected} == expected
    assert body["features"] == ["total_day_minutes", "customer_service_calls", "international_plan"]
    assert (body["metrics"], body["trained_at"]) == ({"roc_auc": 0.8}, "2026-01-02T00:00:00Z")


async def test_reload_takes_the_champion_now(client: httpx.AsyncClient, registry: FakeRegistry) -> None:
    assert (await client.post("/admin/reload")).json() == {"result": "unchanged", "model_version": "1"}
    registry.models["2"], registry.champion = make_model("2"), "2"
    assert (await client.post("/admin/reload")).json() == {"result": "loaded", "model_version": "2"}
    assert (await client.post("/predict", json=CUSTOMER)).json()["model_version"] == "2"


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [({"champion": "2"}, 409, "model-refused"), ({"away": True}, 503, "registry-away"), ({"champion": None}, 503, "no-model")],
)
async def test_reload_that_fails_says_why_and_the_old_model_serves(
    client: httpx.AsyncClient, registry: FakeRegistry, change: dict[str, Any], status: int, kind: str
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
    shelf = FakeShelf(make_model("7")).shelf()
    async with running(create_app(make_settings(tmp_path), registry=registry, store=FakeStore(), shelf=shelf)) as client:
        body = (await client.get("/model")).json()
        assert (body["version"], body["aliases"], body["loaded_from"]) == ("7", [], "disk")
        assert (await client.get("/readyz")).status_code == 200
