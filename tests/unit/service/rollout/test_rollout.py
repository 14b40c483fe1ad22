"""The parts of the rollout are the ones that the settings ask for, and know each other."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from churn.contract import load_contract
from service.observability.metrics import ServiceMetrics
from service.rollout.comparison_store import LazyComparisonStore
from service.rollout.probation_test import Bounds, ProbationResult
from service.rollout.rollout import Rollout, bounds_of
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, make_model, make_settings, served_model

pytestmark = pytest.mark.anyio


class Comparisons:
    """A store of comparisons that is only opened and closed."""

    closed = False

    def write_shadow(self, rows: Any, /) -> None:
        raise AssertionError("nothing is scored here")

    def realized(self, version: str, **_: Any) -> list[Any]:
        return []

    def close(self) -> None:
        self.closed = True


def rollout_of(home: Path, registry: FakeRegistry, comparisons: Comparisons, **settings: Any) -> Rollout:
    contract = load_contract()
    return Rollout.of(
        make_settings(home, **settings),
        contract,
        ServiceMetrics(contract),
        source=registry,
        last_known_good=FakeLastKnownGood().last_known_good(),
        comparisons=comparisons,
    )


def test_every_bound_of_a_probation_is_a_setting_of_its_own(tmp_path: Path) -> None:
    settings = {
        "probation_error_rate": 0.02,
        "probation_latency_factor": 4.0,
        "probation_latency_seconds": 0.3,
        "probation_brier": 0.05,
        "probation_false_rollback_rate": 0.01,
        "probation_min_requests": 77,
        "probation_min_outcomes": 33,
    }
    assert bounds_of(make_settings(tmp_path, **settings)) == Bounds(0.02, 4.0, 0.3, 0.05, 0.01, 77, 33)
    # What nobody sets is what the test itself says.
    assert bounds_of(make_settings(tmp_path)) == Bounds()
    assert {field.name for field in fields(Bounds)} - {"slow_polls"} == {
        *("error_rate", "latency_factor", "latency_floor_seconds", "brier"),
        *("false_rollback_rate", "min_requests", "min_outcomes"),
    }


async def test_it_starts_with_the_registry_s_champion_and_its_challenger_in_the_shadow_and_stops_all(tmp_path: Path) -> None:
    registry, comparisons = FakeRegistry(make_model("1"), make_model("2", slope=2)), Comparisons()
    registry.champion, registry.others = "1", {"challenger": "2"}
    rollout = rollout_of(tmp_path, registry, comparisons)
    await rollout.start()
    try:
        assert rollout.active_model.current().version == "1"
        await rollout.follower.follow_others()
        assert rollout.shadow.challenger is not None
        assert rollout.shadow.challenger.version == "2"
        tasks = [rollout.shadow._task, rollout.probation._task, rollout.follower._task]
        assert all(task is not None and not task.done() for task in tasks)
    finally:
        await rollout.stop()
    assert all(task is not None and task.done() for task in tasks)
    assert comparisons.closed
    assert registry.closed


async def test_a_champion_that_replaces_another_is_on_probation_and_rolled_back_by_it(tmp_path: Path) -> None:
    registry = FakeRegistry(make_model("1"), make_model("2", slope=2))
    registry.champion = "1"
    rollout = rollout_of(tmp_path, registry, Comparisons())
    await rollout.follower.take_champion()
    assert rollout.probation._watch is None
    registry.champion, registry.others = "2", {"previous": "1"}
    await rollout.follower.take_champion()
    watch = rollout.probation._watch
    assert watch is not None
    assert (watch.before.version, watch.after.version) == ("1", "2")
    leaving = rollout.active_model.current()
    await rollout.probation._roll_back(leaving, ProbationResult("violated", "too many errors", {"errors": 7}))
    assert rollout.active_model.current().version == "1"
    assert registry.rollbacks == [("2", "1", "probation", "too many errors")]
    await rollout.stop()


async def test_without_a_probation_nothing_watches(tmp_path: Path) -> None:
    rollout = rollout_of(tmp_path, FakeRegistry(make_model("1")), Comparisons(), probation_seconds=0)
    rollout.probation.begin(served_model(make_model("1"), "disk"), served_model(make_model("2"), "disk"))
    rollout.probation.start()
    assert (rollout.probation._watch, rollout.probation._task) == (None, None)


def test_by_default_models_come_from_the_registry_of_the_settings_and_comparisons_go_to_their_store(tmp_path: Path) -> None:
    settings, contract = make_settings(tmp_path, shadow_share=0.25, probation_seconds=60), load_contract()
    rollout = Rollout.of(settings, contract, ServiceMetrics(contract))
    comparisons = rollout.comparisons
    assert isinstance(comparisons, LazyComparisonStore)
    assert (comparisons._url, comparisons._maturity_setting) == (settings.store_url, settings.label_maturity_seconds)
    assert rollout.shadow._share == 0.25
    assert rollout.probation._seconds == 60
    assert type(rollout.follower._source).__name__ == "RegistrySource"
    assert rollout.follower._activation._last_known_good.load(False) is None  # asked of the disk: there is none yet
    assert rollout.follower._poll_seconds == settings.registry_poll_seconds
