from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from churn.errors import ChampionChanged, NoModel, NoPreviousModel, RegistryError, StoreError
from churn.lifecycle.rollback_request import RollbackRequest
from service.rollout.rollback import RollbackSync
from service.rollout.rollback_requests import FileRollbackRequests
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeRollbackRequests, make_model
from tests.unit.service.rollout.following import Following, reset, second_in_service, two_models, until

pytestmark = pytest.mark.anyio


async def test_a_rollback_is_in_force_at_once_and_recorded_and_undone_by_another() -> None:
    following = await second_in_service(registry := two_models())
    before = following.active_model.previous
    done = await following.roll_back(actor="ada", reason="complaints")
    assert (done.leaving, done.version, done.recorded) == ("2", "1", True)
    assert following.active_model.current() is before, "the one that was warm, not a new one"
    assert registry.rollbacks == [("2", "1", "ada", "complaints")]
    assert registry.champion == "1"
    assert following.kept.kept is before
    assert following.reloads("rolled back") == 1
    assert await following.follower.take_champion() is False
    await following.roll_back(actor="bob", reason="no, it was right")
    assert (following.versions, registry.champion) == (("2", "1"), "2")
    assert registry.loads == ["1", "2"]


async def test_a_rollback_starts_no_probation() -> None:
    following = await second_in_service(two_models())
    await following.roll_back(actor="probation", reason="slow")
    assert following.activations == [("1", "2")]


async def test_without_a_model_before_there_is_nothing_to_roll_back_to() -> None:
    following = Following(FakeRegistry(make_model("1")))
    with pytest.raises(NoModel):
        await following.roll_back(actor="ada", reason="")
    await following.follower.take_champion()
    with pytest.raises(NoPreviousModel):
        await following.roll_back(actor="ada", reason="")


async def test_while_the_registry_is_away_a_rollback_holds_and_is_recorded_when_it_is_back() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    done = await following.roll_back(actor="ada", reason="complaints")
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
async def test_a_record_that_fails_is_tried_again_with_backoff(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    following = await second_in_service(registry := two_models())
    tries: list[float] = []

    def fail(*_: str, **__: str) -> None:
        tries.append(following.time)
        raise error

    monkeypatch.setattr(registry, "roll_back", fail)
    await following.roll_back(actor="ada", reason="")
    for following.time in range(0, 40_000, 1_000):
        await following.follower.take_champion()
        task = following.follower._rollback._sync.task
        assert task is not None
        await asyncio.wait({task})  # the try that this began, if it began one, has failed by its clock
    assert 3 <= len(tries) <= 12
    assert following.versions == ("1", "2")


async def test_a_failure_is_followed_by_a_pause_unless_a_person_waits() -> None:
    registry, time = two_models(), [0.0]
    registry.away = True
    sync, told = RollbackSync(registry, 10.0, lambda: time[0]), list[RollbackRequest]()
    request = RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints")
    first = sync.record(request, told.append)
    assert first is not None
    assert sync.record(request, told.append) is first, "one try at a time"
    assert await first is False
    assert sync.record(request, told.append) is None, "its pause has not passed"
    registry.away = False
    asked = sync.record(request, told.append, at_once=True)
    assert asked is not None
    assert await asked is True
    assert told == [request]


async def test_another_champion_ends_a_pending_rollback() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    await following.roll_back(actor="ada", reason="")
    registry.away, registry.champion = False, "3"
    registry.models["3"] = make_model("3")
    assert await following.follower.take_champion() is True
    assert following.versions == ("3", "1")
    registry.champion = "2"
    assert await following.follower.take_champion() is True, "the request is gone"


async def test_a_reload_ends_a_pending_rollback() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    await following.roll_back(actor="ada", reason="")
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
    await here.roll_back(actor="ada", reason="complaints")
    with pytest.raises(RegistryError):
        await there.follower.take_champion()
    assert there.versions == ("1", "2")
    registry.away = False
    assert await there.follower.take_champion() is False
    await until(lambda: registry.champion == "1")


async def test_a_rollback_outlives_a_restart_while_the_registry_is_away(tmp_path: Path) -> None:
    registry = two_models()
    requests = FileRollbackRequests(tmp_path / "deep" / "folder")
    here = await second_in_service(registry, requests)
    registry.away = True
    await here.roll_back(actor="ada", reason="complaints")
    registry.away = False
    started_anew = Following(registry, here.kept.last_known_good(), requests=FileRollbackRequests(tmp_path / "deep" / "folder"))
    started_anew.active_model.activate(here.kept.kept or pytest.fail("nothing was remembered"))
    await started_anew.follower.take_champion()
    assert started_anew.versions == ("1", None)
    await until(lambda: registry.champion == "1")
    assert requests.read() is None


async def test_a_full_disk_does_not_stop_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = FakeRollbackRequests()

    def full(_: RollbackRequest) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(requests, "write", full)
    following = await second_in_service(registry := two_models(), requests)
    assert (await following.roll_back(actor="ada", reason="")).recorded
    assert (following.versions, registry.champion) == (("1", "2"), "1")


class Slow(FakeRegistry):
    """A registry whose loads wait until the test lets them end."""

    def __init__(self) -> None:
        super().__init__(make_model("1"), make_model("2", slope=2), make_model("3", slope=3))
        self.may_end, self.loading = threading.Event(), threading.Event()
        self.champion = "1"
        self.may_end.set()

    def load(self, version: str, /) -> ServedModel:
        self.loading.set()
        assert self.may_end.wait(120)
        return super().load(version)


async def test_a_rollback_during_a_slow_load_leaves_the_version_it_was_decided_for_at_once() -> None:
    following = await second_in_service(registry := Slow())
    registry.may_end.clear()
    registry.loading.clear()
    registry.champion = "3"
    poll = asyncio.create_task(following.follower.take_champion())
    await until(registry.loading.is_set)
    done = await asyncio.wait_for(following.roll_back(actor="ada", reason="complaints"), 60)
    assert (done.leaving, done.version, following.versions) == ("2", "1", ("1", "2"))
    assert registry.champion == "3", "it was decided for 2, and another version is champion"
    registry.may_end.set()
    assert await poll is True
    assert following.versions[0] == "3"


async def test_a_version_that_was_left_while_it_was_loaded_is_not_activated() -> None:
    following = await second_in_service(registry := Slow())
    registry.may_end.clear()
    registry.loading.clear()
    registry.champion = "3"
    poll = asyncio.create_task(following.follower.take_champion())
    await until(registry.loading.is_set)
    registry.champion, registry.others = "2", {"previous": "3", "rolled-back": "3"}
    registry.may_end.set()
    assert await poll is False
    assert following.versions[0] == "2"


async def test_a_verdict_on_a_version_that_does_not_serve_any_more_does_nothing() -> None:
    following = await second_in_service(registry := two_models())
    tested = following.active_model.current()
    registry.champion, registry.others = "1", {"previous": "2", "rolled-back": "2"}
    await following.follower.take_champion()
    with pytest.raises(ChampionChanged, match="version 2 is not in service any more"):
        await following.follower.roll_back(tested, actor="probation", reason="slow", automatic=True)
    assert (following.versions, registry.champion, registry.rollbacks) == (("1", "2"), "1", [])
    serving = following.active_model.current()
    with pytest.raises(NoPreviousModel, match="only a person takes it again"):
        await following.follower.roll_back(serving, actor="probation", reason="slow", automatic=True)
    await following.roll_back(actor="ada", reason="it was right")
    assert registry.champion == "2"


async def test_who_missed_a_champion_rolls_back_to_what_the_registry_calls_previous() -> None:
    registry = Slow()
    following = await second_in_service(registry)
    registry.champion, registry.others["previous"] = "3", "1"
    await following.follower.take_champion()
    assert following.versions == ("3", None), "2 was left by others in between"
    await following.follower.follow_others()
    assert following.versions == ("3", "1")


async def test_a_restart_between_a_rollback_and_its_save_does_not_serve_what_was_left() -> None:
    registry = two_models()
    requests = FakeRollbackRequests()
    requests.write(RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints"))
    registry.away = True
    kept = FakeLastKnownGood(make_model("2", slope=2))
    following = Following(registry, kept.last_known_good(), requests=requests)
    await following.follower.restore()
    assert following.versions == ("1", None)


async def test_to_a_version_that_is_not_on_disk_any_more_nobody_goes_back_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = two_models()
    requests = FakeRollbackRequests()
    requests.write(RollbackRequest("2", "run-2", "9", "run-9", "ada", "complaints"))
    registry.away = True
    following = Following(registry, FakeLastKnownGood(make_model("2", slope=2)).last_known_good(), requests=requests)
    await following.follower.restore()
    assert following.versions == ("2", None)
    assert "cannot roll back from version 2 to 9: it is not on disk any more" in caplog.text


async def test_another_registry_s_model_of_the_same_number_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    following = await second_in_service(registry := two_models())
    other = make_model("2", slope=3)
    other = replace(other, info=other.info.model_copy(update={"run_id": "of another registry"}))
    registry.models["2"] = other
    assert await following.follower.take_champion() is True
    assert following.active_model.current().info.run_id == "of another registry"


class SlowFirstWrite(FakeRollbackRequests):
    """A disk that takes the first request last, if it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()
        self.first = True

    def write(self, request: RollbackRequest, /) -> None:
        if self.first:
            self.first = False
            assert self.may_end.wait(60)
        super().write(request)


async def test_of_two_rollbacks_in_a_row_the_second_stays_on_disk_however_slow_the_first_was() -> None:
    following = await second_in_service(registry := two_models(), requests := SlowFirstWrite())
    registry.away = True
    first = asyncio.create_task(following.roll_back(actor="ada", reason="complaints"))
    await until(lambda: not requests.first)
    second = asyncio.create_task(following.roll_back(actor="ada", reason="no, it was right"))
    await until(lambda: following.versions == ("2", "1"))
    requests.may_end.set()
    await asyncio.wait({first, second})
    kept = requests.read()
    assert kept is not None
    assert (kept.leaving, kept.version) == ("1", "2")
    with pytest.raises(RegistryError):
        await following.follower.take_champion()
    assert following.versions == ("2", "1"), "the first is not applied anew"


async def test_an_automatic_rollback_does_not_lead_to_what_a_pending_one_left() -> None:
    following = await second_in_service(registry := two_models())
    registry.away = True
    await following.roll_back(actor="ada", reason="complaints")
    with pytest.raises(NoPreviousModel, match="version 2 was left by a rollback"):
        await following.follower.roll_back(following.active_model.current(), actor="probation", reason="slow", automatic=True)
    assert following.versions == ("1", "2")
    await following.roll_back(actor="ada", reason="no, it was right")
    assert following.versions == ("2", "1"), "a person may"
