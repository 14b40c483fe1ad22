"""Activating a model: it becomes the active model, the metrics say so, and it is saved as the last known good one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from churn.errors import ChurnError
from service.observability.metrics import ServiceMetrics
from service.rollout.active_model import ActiveModel, is_same
from service.rollout.model_source import LastKnownGood
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread

logger = logging.getLogger(__name__)


class Activation:
    """Changes the active model.

    Attributes
    ----------
    active_model : ActiveModel
    on_activation : callable
        Called with the old and the new model when a newly loaded model replaces another one. A rollback does not call it.
    """

    def __init__(self, active_model: ActiveModel, last_known_good: LastKnownGood, metrics: ServiceMetrics) -> None:
        self.active_model = active_model
        self.on_activation: Callable[[ServedModel, ServedModel], None] = lambda _before, _after: None
        self._last_known_good = last_known_good
        self._metrics = metrics
        self._saving = asyncio.Lock()

    def activate(self, served: ServedModel, result: str) -> None:
        """Let a model take over.

        Parameters
        ----------
        served : ServedModel
        result : {"loaded", "rolled back"}
            How it is counted in `churn_model_reloads_total`.
        """
        before = self.active_model.peek()
        self._show(served)
        self._metrics.reloads.labels(result).inc()
        logger.info("model version %s is in service", served.version)
        if before is not None and not is_same(before, served) and result == "loaded":
            self.on_activation(before, served)

    async def save(self) -> None:
        """Save the model in service as the last known good one. A disk that does not take it is logged."""
        # One after the other, each the model that serves then: of two changes in a row, the last one stays on disk.
        async with self._saving:
            served = self.active_model.current()
            try:
                await run_in_thread(self._last_known_good.save, served)
            except OSError as error:
                logger.warning("version %s serves, but cannot be saved as the last known good model: %s", served.version, error)

    async def restore(self, replace: Callable[[ServedModel], Awaitable[ServedModel]], *, wait: bool) -> None:
        """Activate the last known good model, unless another one serves by then.

        Parameters
        ----------
        replace : callable
            Asked which model is to serve in its place: the target of a pending rollback, or itself.
        wait : bool
            Whether to wait until its bundle is made, if it is not ready on disk.
        """
        try:
            served = await run_in_thread(self._last_known_good.load, wait)
            served = None if served is None else await replace(served)
        except ChurnError as error:
            logger.warning("the last known good model cannot serve: %s", error)
            return
        # The registry may have answered in the meantime: what it says is newer.
        if served is not None and self.active_model.peek() is None:
            self._show(served)
            logger.warning("the registry gave no model yet; the last known good version %s is in service", served.version)

    def _show(self, served: ServedModel) -> None:
        self.active_model.activate(served)
        self._metrics.show_model(served.info)
        self._metrics.models.show_path(served.path)
