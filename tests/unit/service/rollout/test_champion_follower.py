from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from churn.contract import load_contract
from churn.errors import ModelRefused, NoModel, NoPreviousModel, RegistryError, StoreError
from service.app import create_app
from service.observability.metrics import ServiceMetrics
from service.rollout.activation import Activation
from service.rollout.active_model import ActiveModel
from service.rollout.champion_follower import ChampionFollower
from service.rollout.model_source import LastKnownGood
from service.rollout.rollback_requests import FileRollbackRequests, MemoryRollbackRequests, RollbackRequest, RollbackRequests
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import CUSTOMER, FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running

pytestmark = pytest.mark.anyio


class Following:
    """A follower with everything around it, and a clock that a test moves."""

    def __init__(
        self,
        registry: FakeRegistry,
        last_known_good: LastKnownGood | None = None,
        poll_seconds: float = 3600,
        requests: RollbackRequests | None = None,
    ) -> None:
        self.time = 0.0
        self.active_model = ActiveModel()
        self.metrics = ServiceMetrics(load_contract())
        self.kept = FakeLastKnownGood()
        last_known_good = last_known_good if last_known_good is not None else self.kept.last_known_good()
        activation = Activation(self.active_model, last_known_good, self.metrics)
        self.follower = ChampionFollower(
            registry,
            activation,
            requests if requests is not None else MemoryRollbackRequests(),
            metrics=self.metrics,
            poll_seconds=poll_seconds,
            clock=lambda: self.time,
        )
        self.activations: list[tuple[str, str]] = []
        self.challengers: list[str | None] = []
        activation.on_activation = lambda before, after: self.activations.append((before.version, after.version))
        self.follower.on_challenger = lambda model: self.challengers.append(model.version if model else None)

    @property
    def versions(self) -> tuple[str, str | None]:
        previous = self.active_model.previous
        return self.active_model.current().version, previous.version if previous else None

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

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
    assert following.active_model.current().version == "2"
    assert following.kept.kept is following.active_model.current()
    assert following.activations == [("1", "2")]
    assert (following.sample("churn_model_path", path="compiled"), following.sample("churn_model_path", path="pipeline")) == (
        1,
        0,
    )
    assert (following.in_service("1"), following.in_service("2")) == (0.0, 1.0)
    assert following.reloads("loaded") == 2


async def test_refused_version_leaves_the_old_one_and_is_tried_again_only_after_a_pause() -> None:
    registry = FakeRegistry(make_model("1"))
    following = Following(registry, poll_seconds=2)
    await following.follower.take_champion()
    registry.models["2"], registry.champion = ModelRefused("version 2 holds types that are not trusted"), "2"
    with pytest.raises(ModelRefused):
        await following.follower.take_champion()
    assert following.active_model.current().version == "1"
    assert following.kept.kept is following.active_model.current()
    assert following.sample("churn_model_refused", version="2") == 1
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
    assert following.sample("churn_model_refused", version="2") == 0


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
    assert following.active_model.current().version == "1"
    assert following.reloads("unreachable") == 1


async def test_start_takes_the_last_known_good_model_when_the_registry_is_away_then_follows() -> None:
    registry = FakeRegistry(make_model("1"))
    registry.away = True
    following = Following(registry, FakeLastKnownGood(make_model("1", slope=3)).last_known_good(), poll_seconds=0.01)
    await following.follower.start()
    try:
        assert following.active_model.current().loaded_from == "disk"
        registry.away = False
        async with asyncio.timeout(10):
            # The number is the same; the registry's model is taken nevertheless.
            while following.active_model.current().loaded_from == "disk":
                await asyncio.sleep(0.01)
        assert following.active_model.previous is None, "one version is not two models"
    finally:
        await following.follower.stop()


async def test_start_with_nothing_takes_the_first_champion_there_is() -> None:
    registry = FakeRegistry()
    following = Following(registry, poll_seconds=0.01)
    await following.follower.start()
    try:
        with pytest.raises(NoModel):
            following.active_model.current()
        registry.models["1"], registry.champion = make_model("1"), "1"
        async with asyncio.timeout(10):
            while following.active_model.peek() is None:
                await asyncio.sleep(0.01)
        assert following.reloads("unreachable") == 0
    finally:
        await following.follower.stop()


async def test_broken_last_known_good_model_does_not_stop_the_start() -> None:
    def refuse(_wait: bool) -> ServedModel:
        raise ModelRefused("not a model")

    registry = FakeRegistry()
    registry.away = True
    following = Following(registry, LastKnownGood(lambda _: None, refuse))
    await following.follower.start()
    await following.follower.stop()
    assert following.active_model.peek() is None


async def test_a_last_known_good_model_that_is_ready_serves_while_the_registry_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.rollout.champion_follower.FIRST_POLL_SECONDS", 0.01)
    registry, answering = FakeRegistry(make_model("2")), threading.Event()
    monkeypatch.setattr(registry, "_check", lambda: answering.wait(10))
    following = Following(registry, FakeLastKnownGood(make_model("1")).last_known_good(), poll_seconds=0.01)
    try:
        await following.follower.start()
        assert following.versions == ("1", None)
        answering.set()
        await until(lambda: following.versions == ("2", "1"))
    finally:
        answering.set()
        await following.follower.stop()


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
            while following.active_model.peek() is None:
                await asyncio.sleep(0.01)
    finally:
        await following.follower.stop()


async def test_full_disk_does_not_keep_a_champion_from_serving() -> None:
    def full(_: ServedModel) -> None:
        raise OSError(28, "No space left on device")

    following = Following(FakeRegistry(make_model("1")), LastKnownGood(full, lambda _: None))
    assert await following.follower.take_champion() is True
    assert following.active_model.current().version == "1"


async def test_same_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = FakeRegistry()
    registry.away = True
    following = Following(registry)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            with pytest.raises(RegistryError):
                await following.follower.take_champion()
    assert len(caplog.records) == 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def two_models() -> FakeRegistry:
    registry = FakeRegistry(make_model("1"), make_model("2", slope=2))
    registry.champion = "1"
    return registry


async def second_in_service(registry: FakeRegistry, requests: RollbackRequests | None = None) -> Following:
    following = Following(registry, requests=requests)
    await following.follower.take_champion()
    registry.champion, registry.others["previous"] = "2", "1"
    await following.follower.take_champion()
    return following


async def test_a_rollback_is_in_force_at_once_and_recorded_and_undone_by_another() -> None:
    following = await second_in_service(registry := two_models())
    before = following.active_model.previous
    done = await following.follower.roll_back(actor="ada", reason="complaints")
    assert (done.leaving, done.version, done.recorded) == ("2", "1", True)
    assert following.active_model.current() is before, "the one that was warm, not a new one"
    assert registry.rollbacks == [("2", "1", "ada", "complaints")]
    assert registry.champion == "1"
    assert following.kept.kept is before
    assert following.reloads("rolled back") == 1
    assert await following.follower.take_champion() is False
    await following.follower.roll_back(actor="bob", reason="no, it was right")
    assert (following.versions, registry.champion) == (("2", "1"), "2")
    assert registry.loads == ["1", "2"]


async def test_a_rollback_is_no_swap_to_watch() -> None:
    following = await second_in_service(two_models())
    await following.follower.roll_back(actor="probation", reason="slow")
    assert following.activations == [("1", "2")]


async def test_without_a_model_before_there_is_nothing_to_roll_back_to() -> None:
    following = Following(FakeRegistry(make_model("1")))
    with pytest.raises(NoModel):
        await following.follower.roll_back(actor="ada", reason="")
    await following.follower.take_champion()
    with pytest.raises(NoPreviousModel):
        await following.follower.roll_back(actor="ada", reason="")


async def test_while_the_registry_is_away_a_rollback_holds_and_is_recorded_when_it_is_back() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    done = await following.follower.roll_back(actor="ada", reason="complaints")
    assert (done.recorded, following.versions) == (False, ("1", "2"))
    with pytest.raises(RegistryError):
        await following.follower.take_champion()
    registry.away = False
    assert await following.follower.take_champion() is False, "the registry still names 2; it is not taken again"
    assert following.versions == ("1", "2")
    assert registry.rollbacks == [], "the last try was a moment ago"
    following.time += 3601 * 2
    await following.follower.take_champion()
    await until(lambda: registry.champion == "1")
    assert len(registry.rollbacks) == 1
    assert await following.follower.take_champion() is False
    assert following.versions == ("1", "2")


@pytest.mark.parametrize("error", [StoreError("away"), RegistryError("away")])
async def test_a_record_that_fails_is_tried_again_less_and_less_often(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    following = await second_in_service(registry := two_models())
    tries: list[float] = []

    def fail(*_: str, **__: str) -> None:
        tries.append(following.time)
        raise error

    monkeypatch.setattr(registry, "roll_back", fail)
    await following.follower.roll_back(actor="ada", reason="")
    for following.time in range(0, 40_000, 1_000):
        await following.follower.take_champion()
        await asyncio.sleep(0.002)
    assert 3 <= len(tries) <= 12
    assert following.versions == ("1", "2")


async def test_somebody_else_made_champion_ends_a_rollback_that_waits() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    await following.follower.roll_back(actor="ada", reason="")
    registry.away, registry.champion = False, "3"
    registry.models["3"] = make_model("3")
    assert await following.follower.take_champion() is True
    assert following.versions == ("3", "1")
    registry.champion = "2"
    assert await following.follower.take_champion() is True, "the order is gone"


async def test_a_person_who_reloads_ends_a_rollback_that_waits() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    await following.follower.roll_back(actor="ada", reason="")
    with pytest.raises(RegistryError):
        await following.follower.take_champion(insist=True)
    assert following.versions == ("1", "2"), "nobody knows what to reload"
    registry.away = False
    assert await following.follower.take_champion(insist=True) is True
    assert following.versions == ("2", "1")


async def test_another_worker_of_this_home_follows_a_rollback_while_the_registry_is_away(tmp_path: Path) -> None:
    registry = two_models()
    here, there = [await second_in_service(registry, FileRollbackRequests(tmp_path)) for _ in range(2) if reset(registry)]
    registry.away = True
    await here.follower.roll_back(actor="ada", reason="complaints")
    with pytest.raises(RegistryError):
        await there.follower.take_champion()
    assert there.versions == ("1", "2")
    registry.away = False
    assert await there.follower.take_champion() is False
    await until(lambda: registry.champion == "1")


def reset(registry: FakeRegistry) -> bool:
    registry.champion = "1"
    registry.others.clear()
    return True


async def test_a_rollback_outlives_a_restart_while_the_registry_is_away(tmp_path: Path) -> None:
    registry = two_models()
    requests = FileRollbackRequests(tmp_path / "deep" / "folder")
    here = await second_in_service(registry, requests)
    registry.away = True
    await here.follower.roll_back(actor="ada", reason="complaints")
    registry.away = False
    started_anew = Following(registry, here.kept.last_known_good(), requests=FileRollbackRequests(tmp_path / "deep" / "folder"))
    started_anew.active_model.activate(here.kept.kept or pytest.fail("nothing was remembered"))
    await started_anew.follower.take_champion()
    assert started_anew.versions == ("1", None)
    await until(lambda: registry.champion == "1")
    assert requests.read() is None


async def test_a_full_disk_does_not_stop_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = MemoryRollbackRequests()

    def full(_: RollbackRequest) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(requests, "write", full)
    following = await second_in_service(registry := two_models(), requests)
    assert (await following.follower.roll_back(actor="ada", reason="")).recorded
    assert (following.versions, registry.champion) == (("1", "2"), "1")


def test_a_file_that_is_no_order_is_none(tmp_path: Path) -> None:
    requests = FileRollbackRequests(tmp_path)
    assert requests.read() is None
    for text in ("", "{", "[]", "{}", '{"leaving": "1", "strange": 2}'):
        (tmp_path / "rollback.json").write_text(text)
        assert requests.read() is None
    requests.write(RollbackRequest("2", "1", "run", "ada", "why"))
    assert requests.read() == RollbackRequest("2", "1", "run", "ada", "why")
    requests.clear()
    requests.clear()
    assert list(tmp_path.iterdir()) == []


async def test_after_a_restart_the_previous_champion_is_warm_too() -> None:
    registry = two_models()
    registry.champion, registry.others["previous"] = "2", "1"
    following = Following(registry)
    await following.follower.take_champion()
    await following.follower.follow_others()
    assert following.versions == ("2", "1")
    assert following.activations == []
    await following.follower.follow_others()
    assert registry.loads == ["2", "1"]


async def test_a_previous_champion_that_is_refused_is_no_way_back_and_no_hindrance() -> None:
    registry = two_models()
    registry.champion, registry.others["previous"] = "2", "1"
    registry.models["1"] = ModelRefused("torn")
    following = Following(registry)
    await following.follower.take_champion()
    for _ in range(3):
        await following.follower.follow_others()
    assert (following.versions, registry.loads) == (("2", None), ["2", "1"])


async def test_the_challenger_is_followed_until_there_is_none() -> None:
    following = Following(registry := two_models())
    await following.follower.take_champion()
    for challenger in ("2", "2", "1", None):
        registry.others = {"challenger": challenger} if challenger else {}
        await following.follower.take_champion()
        await following.follower.follow_others()
    assert following.challengers == ["2", None], "who leads is no challenger"
    registry.others, registry.models["3"] = {"challenger": "3"}, ModelRefused("torn")
    await following.follower.take_champion()
    await following.follower.follow_others()
    assert following.challengers == ["2", None, None]
    assert following.sample("churn_model_refused", version="3") == 1


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
    for wrong in ({"reason": ""}, {"reason": 3}, {"why": "x"}, []):
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
