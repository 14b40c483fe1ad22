"""All that has to do with which model serves, put together: following, rolling back, the challenger's shadow, probation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from churn.config.settings import Settings
from churn.contract import Contract
from churn.registry.artifact import models_folder
from service.model_loading.registry_source import RegistrySource
from service.observability.metrics import ServiceMetrics
from service.rollout.active_model import ActiveModel
from service.rollout.champion_follower import ChampionFollower
from service.rollout.comparison_store import ComparisonStore, LazyComparisonStore
from service.rollout.model_source import LastKnownGood, ModelSource
from service.rollout.probation import Probation
from service.rollout.probation_test import Bounds
from service.rollout.rollback_requests import FileRollbackRequests
from service.rollout.shadow import Shadow


@dataclass(frozen=True)
class ModelChanges:
    """The parts, which start and stop together."""

    active_model: ActiveModel
    follower: ChampionFollower
    shadow: Shadow
    probation: Probation
    comparisons: ComparisonStore

    @classmethod
    def of(
        cls,
        settings: Settings,
        contract: Contract,
        metrics: ServiceMetrics,
        *,
        source: ModelSource | None = None,
        last_known_good: LastKnownGood | None = None,
        comparisons: ComparisonStore | None = None,
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
        comparisons = comparisons if comparisons is not None else LazyComparisonStore(settings.store_url)
        active_model = ActiveModel()
        follower = ChampionFollower(
            source if source is not None else own,
            active_model,
            last_known_good if last_known_good is not None else LastKnownGood(own.put, own.take),
            metrics=metrics,
            poll_seconds=settings.registry_poll_seconds,
            requests=FileRollbackRequests(models_folder(settings)),
        )
        shadow = Shadow(settings.shadow_share, comparisons, metrics.models)

        async def roll_back(reason: str) -> None:
            await follower.roll_back(actor="probation", reason=reason)

        probation = Probation(
            settings.probation_seconds,
            bounds_of(settings),
            comparisons,
            metrics.registry,
            metrics.models,
            active_model,
            roll_back,
        )
        follower.on_challenger = shadow.follow
        follower.on_activation = probation.begin
        return cls(active_model, follower, shadow, probation, comparisons)

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
        await asyncio.to_thread(self.comparisons.close)


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
