"""All that has to do with which model serves, put together: following, rolling back, the challenger's shadow, probation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from churn.config.settings import Settings
from churn.contract import Contract
from churn.registry.artifact import models_folder
from service.model_loading.registry_source import RegistrySource
from service.observability.metrics import ServiceMetrics
from service.rollout.active_model import ModelHolder
from service.rollout.champion_follower import ChampionFollower
from service.rollout.comparison_store import LateTrialStore, TrialStore
from service.rollout.model_source import ModelSource, Shelf
from service.rollout.probation import Probation
from service.rollout.probation_test import Bounds
from service.rollout.rollback_requests import FileOrders
from service.rollout.shadow import Shadow


@dataclass(frozen=True)
class ModelChanges:
    """The parts, which start and stop together."""

    holder: ModelHolder
    follower: ChampionFollower
    shadow: Shadow
    probation: Probation
    trials: TrialStore

    @classmethod
    def of(
        cls,
        settings: Settings,
        contract: Contract,
        metrics: ServiceMetrics,
        *,
        source: ModelSource | None = None,
        shelf: Shelf | None = None,
        trials: TrialStore | None = None,
    ) -> ModelChanges:
        """Put the parts together.

        Parameters
        ----------
        settings : Settings
        contract : Contract
        metrics : ServiceMetrics
        source, shelf, trials : optional
            Stand-ins for the registry, the disk and the store of the settings.
        """
        own = RegistrySource(settings, contract)
        trials = trials if trials is not None else LateTrialStore(settings.store_url)
        holder = ModelHolder()
        follower = ChampionFollower(
            source if source is not None else own,
            holder,
            shelf if shelf is not None else Shelf(own.put, own.take),
            metrics=metrics,
            poll_seconds=settings.registry_poll_seconds,
            orders=FileOrders(models_folder(settings)),
        )
        shadow = Shadow(settings.shadow_share, trials, metrics.models)

        async def roll_back(reason: str) -> None:
            await follower.roll_back(actor="probation", reason=reason)

        probation = Probation(
            settings.probation_seconds, bounds_of(settings), trials, metrics.registry, metrics.models, holder, roll_back
        )
        follower.on_challenger = shadow.follow
        follower.on_swap = probation.begin
        return cls(holder, follower, shadow, probation, trials)

    async def start(self) -> None:
        """Start all; returns with a model in service, if there is one."""
        await self.follower.start()
        self.shadow.start()
        self.probation.start()

    async def stop(self) -> None:
        """Stop all."""
        await self.probation.stop()
        await self.shadow.stop()
        await self.follower.stop()
        await asyncio.to_thread(self.trials.close)


def bounds_of(settings: Settings) -> Bounds:
    """Read from the settings what a new champion may do worse."""
    return Bounds(
        error_rate=settings.probation_error_rate,
        latency_factor=settings.probation_latency_factor,
        latency_floor_seconds=settings.probation_latency_seconds,
        brier=settings.probation_brier,
        false_rollback_rate=settings.probation_false_rollback_rate,
        min_requests=settings.probation_min_requests,
        min_outcomes=settings.probation_min_outcomes,
    )
