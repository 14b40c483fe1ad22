"""The parts that decide which model serves, put together: following, rollback, the challenger's shadow, probation."""

from __future__ import annotations

from dataclasses import dataclass

from churn.config.settings import Settings
from churn.contract import Contract
from churn.registry.artifact import models_folder
from service.model_loading.registry_source import RegistrySource
from service.observability.metrics import ServiceMetrics
from service.rollout.activation import Activation
from service.rollout.active_model import ActiveModel
from service.rollout.champion_follower import ChampionFollower
from service.rollout.comparison_store import ComparisonStore, LazyComparisonStore
from service.rollout.model_source import LastKnownGood, ModelSource
from service.rollout.probation import Probation
from service.rollout.probation_test import Bounds, ProbationResult
from service.rollout.rollback_requests import FileRollbackRequests
from service.rollout.shadow import Shadow
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread


@dataclass(frozen=True)
class Rollout:
    """The parts of the rollout, which start and stop together."""

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
    ) -> Rollout:
        """Build and connect the parts.

        Parameters
        ----------
        settings : Settings
        contract : Contract
        metrics : ServiceMetrics
        source : ModelSource, optional
            Where models come from; by default the registry of the settings.
        last_known_good : LastKnownGood, optional
            By default on the disk of the settings.
        comparisons : ComparisonStore, optional
            By default the store of the settings.

        Returns
        -------
        Rollout
        """
        registry = RegistrySource(settings, contract)
        if last_known_good is None:
            last_known_good = LastKnownGood(registry.save_last_known_good, registry.load_last_known_good)
        if comparisons is None:
            maturity, share, effect = settings.label_maturity_seconds, settings.control_share, settings.contact_effect
            comparisons = LazyComparisonStore(settings.store_url, maturity, share, effect)
        active_model = ActiveModel()
        activation = Activation(active_model, last_known_good, metrics)
        follower = ChampionFollower(
            source if source is not None else registry,
            activation,
            FileRollbackRequests(models_folder(settings)),
            metrics=metrics,
            poll_seconds=settings.registry_poll_seconds,
        )
        shadow = Shadow(settings.shadow_share, comparisons, metrics.models)

        async def roll_back(leaving: ServedModel, result: ProbationResult) -> None:
            await follower.roll_back(leaving, actor="probation", reason=result.reason, automatic=True, evidence=result.evidence)

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
        activation.on_activation = probation.begin
        return cls(active_model, follower, shadow, probation, comparisons)

    async def start(self) -> None:
        """Start all parts. Return with a model in service, if there is one."""
        await self.follower.start()
        self.shadow.start()
        self.probation.start()

    async def stop(self) -> None:
        """Stop all parts."""
        await self.probation.stop()
        await self.shadow.stop()
        await self.follower.stop()
        await run_in_thread(self.comparisons.close)


def bounds_of(settings: Settings) -> Bounds:
    """Return the bounds of the probation test that the settings name."""
    return Bounds(
        error_rate=settings.probation_error_rate,
        latency_factor=settings.probation_latency_factor,
        latency_floor_seconds=settings.probation_latency_seconds,
        brier=settings.probation_brier,
        false_rollback_rate=settings.probation_false_rollback_rate,
        min_requests=settings.probation_min_requests,
        min_outcomes=settings.probation_min_outcomes,
    )
