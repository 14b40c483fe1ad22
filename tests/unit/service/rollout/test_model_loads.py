from __future__ import annotations

import asyncio
import threading

import pytest
from prometheus_client import CollectorRegistry, Gauge

from churn.errors import ChurnError, ModelRefused, RegistryError
from service.rollout.backoff import RefusedVersions
from service.rollout.model_loads import ModelLoads
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import FakeRegistry, make_model

pytestmark = pytest.mark.anyio


class Slow(FakeRegistry):
    """Loads when a test says so."""

    def __init__(self) -> None:
        super().__init__(make_model("1"), make_model("2"))
        self.gate = threading.Event()
        self.gate.set()

    def load(self, version: str, /) -> ServedModel:
        assert self.gate.wait(120)
        return super().load(version)


@pytest.fixture
def registry() -> Slow:
    return Slow()


@pytest.fixture
def loads(registry: Slow) -> ModelLoads:
    gauge = Gauge("refused", "…", ["version"], registry=CollectorRegistry())
    return ModelLoads(registry, RefusedVersions(5.0, lambda: 0.0, gauge))


async def test_who_waits_for_the_same_version_waits_for_one_load(registry: Slow, loads: ModelLoads) -> None:
    registry.gate.clear()
    waiting = [asyncio.create_task(loads.load(version)) for version in ("1", "1", "2")]
    await asyncio.sleep(0)
    registry.gate.set()
    first, second, other = await asyncio.gather(*waiting)
    assert first is second
    assert (first.version, other.version) == ("1", "2")
    assert sorted(registry.loads) == ["1", "2"]
    await loads.load("1")
    assert registry.loads.count("1") == 2


async def test_who_stops_waiting_does_not_end_it_for_the_others(registry: Slow, loads: ModelLoads) -> None:
    registry.gate.clear()
    first, second = (asyncio.create_task(loads.load("1")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    registry.gate.set()
    assert (await second).version == "1"
    assert first.cancelled()


async def test_a_refused_version_is_not_tried_quietly_but_when_somebody_insists(registry: Slow, loads: ModelLoads) -> None:
    registry.models["1"] = ModelRefused("its hash differs")
    noted: list[ChurnError] = []
    assert await loads.load_quietly("1", noted.append) is None
    assert [str(error) for error in noted] == ["its hash differs"]
    assert "1" in loads.refused
    assert await loads.load_quietly("1", noted.append) is None
    assert (len(noted), registry.loads) == (1, ["1"])
    with pytest.raises(ModelRefused):
        await loads.load("1")
    registry.models["1"] = make_model("1")
    assert (await loads.load("1")).version == "1"
    assert "1" not in loads.refused
    quiet = await loads.load_quietly("1", noted.append)
    assert quiet is not None
    assert len(noted) == 1


async def test_a_registry_that_is_away_refuses_nothing(registry: Slow, loads: ModelLoads) -> None:
    registry.away = True
    noted: list[ChurnError] = []
    assert await loads.load_quietly("1", noted.append) is None
    assert [type(error) for error in noted] == [RegistryError]
    assert "1" not in loads.refused


async def test_all_loads_can_be_cancelled(registry: Slow, loads: ModelLoads) -> None:
    registry.gate.clear()
    waiting = [asyncio.create_task(loads.load(version)) for version in ("1", "2")]
    await asyncio.sleep(0)
    loads.cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    registry.gate.set()
    assert [type(one) for one in ended] == [asyncio.CancelledError, asyncio.CancelledError]
