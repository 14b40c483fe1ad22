from __future__ import annotations

import asyncio
from collections.abc import Callable

from churn.contract import load_contract
from service.observability.metrics import ServiceMetrics
from service.rollout.activation import Activation
from service.rollout.active_model import ActiveModel
from service.rollout.champion_follower import ChampionFollower
from service.rollout.model_source import LastKnownGood
from service.rollout.rollback import RollbackResult
from service.rollout.rollback_requests import RollbackRequests
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeRollbackRequests, make_model


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
            requests if requests is not None else FakeRollbackRequests(),
            metrics=self.metrics,
            poll_seconds=poll_seconds,
            clock=lambda: self.time,
        )
        self.activations: list[tuple[str, str]] = []
        self.challengers: list[str | None] = []
        activation.on_activation = lambda before, after: self.activations.append((before.version, after.version))
        self.follower.on_challenger = lambda model: self.challengers.append(model.version if model else None)

    async def roll_back(self, *, actor: str, reason: str) -> RollbackResult:
        return await self.follower.roll_back(self.active_model.current(), actor=actor, reason=reason)

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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
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


def reset(registry: FakeRegistry) -> bool:
    registry.champion = "1"
    registry.others.clear()
    return True
