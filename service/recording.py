"""Telling the registry of a rollback that is in force here already, until it knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from churn.errors import ChurnError
from service.rollout.backoff import MAX_REFUSAL_SECONDS, pause_seconds
from service.rollout.model_source import ModelSource
from service.rollout.rollback_requests import RollbackRequest

logger = logging.getLogger(__name__)


class RollbackSync:
    """Has the aliases moved and the record written, one try at a time, each after a longer pause."""

    def __init__(self, source: ModelSource, poll_seconds: float, clock: Callable[[], float]) -> None:
        self.task: asyncio.Task[bool] | None = None
        self._source = source
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._failures, self._again_at = 0, 0.0

    def record(
        self, order: RollbackRequest, done: Callable[[RollbackRequest], None], *, at_once: bool = False
    ) -> asyncio.Task[bool] | None:
        """Try, unless somebody is at it, or it failed a moment ago.

        Parameters
        ----------
        order : Order
        done : callable
            Told when the registry knows.
        at_once : bool
            Whether a person waits: earlier failures do not count.

        Returns
        -------
        Task or None
            Of whether it is recorded.
        """
        if at_once:
            self._failures, self._again_at = 0, 0.0
        if self.task is not None and not self.task.done():
            return self.task
        if self._clock() < self._again_at:
            return None
        self.task = asyncio.create_task(self._try(order, done))
        return self.task

    async def _try(self, order: RollbackRequest, done: Callable[[RollbackRequest], None]) -> bool:
        try:
            await asyncio.to_thread(self._source.roll_back, order)
        except ChurnError as error:
            self._failures += 1
            self._again_at = self._clock() + pause_seconds(self._poll_seconds, self._failures, MAX_REFUSAL_SECONDS)
            logger.warning("the rollback to version %s is not recorded yet: %s", order.version, error)
            return False
        done(order)
        return True
