from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from churn.errors import ModelRefused, NoModel, RegistryError
from service.rollout.model_source import LastKnownGood
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, make_model
from tests.unit.service.rollout.following import Following, two_models, until

pytestmark = pytest.mark.anyio


async def test_new_champion_is_activated_and_saved() -> None:
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


async def test_refused_version_leaves_the_old_one_and_is_tried_again_with_backoff() -> None:
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


async def test_start_activates_the_last_known_good_model_when_the_registry_is_away_then_follows() -> None:
    registry = FakeRegistry(make_model("1"))
    registry.away = True
    following = Following(registry, FakeLastKnownGood(make_model("1", slope=3)).last_known_good(), poll_seconds=0.01)
    await following.follower.start()
    try:
        assert following.active_model.current().loaded_from == "disk"
        registry.away = False
        async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
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
    monkeypatch.setattr(registry, "_check", lambda: answering.wait(120))
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
        async with asyncio.timeout(60):
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
