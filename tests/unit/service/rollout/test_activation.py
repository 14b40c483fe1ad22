from __future__ import annotations

import asyncio
import logging

import pytest

from churn.contract import load_contract
from churn.errors import ModelRefused
from service.observability.metrics import ServiceMetrics
from service.rollout.activation import Activation
from service.rollout.active_model import ActiveModel
from service.rollout.model_source import LastKnownGood
from service.scoring.served_model import ServedModel
from tests.unit.service.fakes import make_model, served_model

pytestmark = pytest.mark.anyio


class Disk:
    """The last known good model on a disk that a test makes full or slow."""

    def __init__(self, model: ServedModel | None = None) -> None:
        self.model, self.waits = model, list[bool]()
        self.saved: list[str] = []
        self.error: Exception | None = None

    def save(self, served: ServedModel) -> None:
        if self.error is not None:
            raise self.error
        self.saved.append(served.version)

    def load(self, wait: bool, /) -> ServedModel | None:
        self.waits.append(wait)
        if self.error is not None:
            raise self.error
        return self.model


class Activating:
    """An activation with everything around it."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.active, self.metrics = ActiveModel(), ServiceMetrics(load_contract())
        self.activation = Activation(self.active, LastKnownGood(self.disk.save, self.disk.load), self.metrics)
        self.changes: list[tuple[str, str]] = []
        self.activation.on_activation = lambda before, after: self.changes.append((before.version, after.version))

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def served(version: str) -> ServedModel:
    return served_model(make_model(version), "disk")


async def itself(model: ServedModel) -> ServedModel:
    return model


def test_a_model_that_takes_over_is_shown_counted_and_told_of() -> None:
    at = Activating()
    at.activation.activate(served("1"), "loaded")
    assert at.changes == []  # it replaced nobody
    at.activation.activate(served("2"), "loaded")
    assert at.changes == [("1", "2")]
    assert at.active.current().version == "2"
    assert at.sample("churn_model_reloads_total", result="loaded") == 2
    labels = {"run_id": "run-2", "data_digest": "digest-2"}
    assert at.sample("churn_model_info", version="2", **labels) == 1
    assert at.sample("churn_model_path", path="compiled") == 1


def test_neither_a_rollback_nor_the_same_model_again_is_told_of() -> None:
    at = Activating()
    at.activation.activate(served("1"), "loaded")
    at.activation.activate(served("1"), "loaded")
    at.activation.activate(served("2"), "rolled back")
    assert at.changes == []
    assert at.sample("churn_model_reloads_total", result="rolled back") == 1


async def test_the_model_in_service_is_saved_and_a_full_disk_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    at = Activating()
    at.activation.activate(served("2"), "loaded")
    await at.activation.save()
    assert at.disk.saved == ["2"]
    at.disk.error = OSError(28, "No space left on device")
    with caplog.at_level(logging.WARNING):
        await at.activation.save()
    assert "version 2 serves, but cannot be saved" in caplog.text


async def test_of_two_changes_in_a_row_the_last_one_stays_on_disk() -> None:
    at = Activating()
    at.activation.activate(served("1"), "loaded")
    first = asyncio.create_task(at.activation.save())
    await asyncio.sleep(0)
    at.activation.activate(served("2"), "loaded")
    await asyncio.gather(first, at.activation.save())
    assert at.disk.saved[-1] == "2"


@pytest.mark.parametrize("wait", [True, False])
async def test_the_last_known_good_model_serves_where_there_is_none(wait: bool) -> None:
    at = Activating(Disk(served("1")))
    await at.activation.restore(itself, wait=wait)
    assert at.active.current().version == "1"
    assert at.disk.waits == [wait]
    # Nothing was loaded from the registry, and no probation begins.
    assert at.sample("churn_model_reloads_total", result="loaded") in (None, 0)
    assert at.changes == []


async def test_the_target_of_a_rollback_takes_its_place() -> None:
    at = Activating(Disk(served("2")))
    asked: list[str] = []

    async def target(model: ServedModel) -> ServedModel:
        asked.append(model.version)
        return served("1")

    await at.activation.restore(target, wait=True)
    assert (asked, at.active.current().version) == (["2"], "1")


async def test_what_the_registry_said_meanwhile_is_newer() -> None:
    at = Activating(Disk(served("1")))

    async def meanwhile(model: ServedModel) -> ServedModel:
        at.activation.activate(served("2"), "loaded")
        return model

    await at.activation.restore(meanwhile, wait=True)
    assert at.active.current().version == "2"


async def test_none_or_a_damaged_one_leaves_the_service_without_a_model(caplog: pytest.LogCaptureFixture) -> None:
    at = Activating(Disk())
    await at.activation.restore(itself, wait=True)
    assert at.active.peek() is None
    at.disk.error = ModelRefused("its hash differs")
    await at.activation.restore(itself, wait=True)
    assert at.active.peek() is None
    assert "the last known good model cannot serve: its hash differs" in caplog.text
