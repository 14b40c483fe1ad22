"""Rolling back: the previous model takes over at once, and the registry is told of it as soon as it can be reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from churn.errors import ChampionChanged, ChurnError
from churn.lifecycle.rollback_request import RollbackRequest
from service.rollout.activation import Activation
from service.rollout.backoff import MAX_BACKOFF_SECONDS, backoff_seconds
from service.rollout.model_source import ModelSource
from service.rollout.rollback_requests import RollbackRequests
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RollbackResult:
    """A rollback that is in force.

    Attributes
    ----------
    leaving, version : str
        The version that was in service, and the one that is now.
    recorded : bool
        Whether the registry knows it already; if not, it is told later.
    """

    leaving: str
    version: str
    recorded: bool


class Rollback:
    """Applies rollback requests to the active model, and keeps each until the registry knows it.

    Parameters
    ----------
    source : ModelSource
    activation : Activation
    requests : RollbackRequests
        Where the pending request is kept.
    sync : RollbackSync
    on_change : callable
        Called with each request that took effect here, and again when the registry knows it.
    """

    def __init__(
        self,
        source: ModelSource,
        activation: Activation,
        requests: RollbackRequests,
        sync: RollbackSync,
        on_change: Callable[[RollbackRequest], None],
    ) -> None:
        self._source = source
        self._activation = activation
        self._requests = requests
        self._sync = sync
        self._on_change = on_change
        # A request that the disk did not take, or has not taken yet.
        self._own: RollbackRequest | None = None
        self._writing = asyncio.Lock()

    async def request(self, request: RollbackRequest, target: ServedModel) -> None:
        """Let the target take over at once, and keep the request for the other workers and for the next start.

        Parameters
        ----------
        request : RollbackRequest
        target : ServedModel
            The model that it names.

        Raises
        ------
        ChampionChanged
            If another model serves than the one that the request leaves; nothing is changed.
        """
        serving = self._activation.active_model.current()
        # Nothing is awaited between this comparison and the activation: nobody else comes in between.
        if not request.leaves(serving.version, serving.info.run_id):
            raise ChampionChanged(f"version {serving.version} is in service, and not {request.leaving}; nothing was changed")
        self._own = request
        self._activate(request, target)
        await self._keep(request)
        await self._activation.save()

    async def pending(self) -> RollbackRequest | None:
        """Return the request that the registry does not know yet, if any. Another worker may have made it."""
        while True:
            own = self._own
            found = await run_in_thread(self._requests.read)
            # Else it was written, or dropped, while the file was read: what was found may be older.
            if self._own is own:
                return own if own is not None else found

    async def clear(self) -> None:
        """Drop the pending request: the registry knows it, or names another champion by now."""
        self._own = None
        await run_in_thread(self._requests.clear)

    async def apply(self, request: RollbackRequest) -> bool:
        """Activate the version that a request names, if the version to leave is in service. Return whether the model changed."""
        active_model = self._activation.active_model
        current = active_model.peek()
        if current is None or not request.leaves(current.version, current.info.run_id):
            return False
        target = await self._target(request)
        if target is None or active_model.peek() is not current:
            return False
        self._activate(request, target)
        await self._activation.save()
        return True

    async def instead_of(self, served: ServedModel) -> ServedModel:
        """Return the model that is to serve in place of one from disk: the target of a pending request that leaves it."""
        request = await self.pending()
        if request is None or not request.leaves(served.version, served.info.run_id):
            return served
        return await self._target(request) or served

    async def _keep(self, request: RollbackRequest) -> None:
        # One after the other: the newest stays on disk, and none that the registry learnt of while the disk took it.
        async with self._writing:
            if self._own is not request:
                return
            try:
                await run_in_thread(self._requests.write, request)
            except OSError as error:
                logger.warning("the rollback holds only in this worker, until it stops: %s", error)
                return
            if self._own is request:
                self._own = None
            else:
                self._drop(request)

    def _drop(self, request: RollbackRequest) -> None:
        if self._requests.read() == request:
            self._requests.clear()

    async def _target(self, request: RollbackRequest) -> ServedModel | None:
        target = self._activation.active_model.previous
        if target is None or (target.version, target.info.run_id) != (request.version, request.run_id):
            target = await run_in_thread(self._source.load_again, request.version, request.run_id)
        if target is None:
            logger.error("cannot roll back from version %s to %s: it is not on disk any more", request.leaving, request.version)
        return target

    def _activate(self, request: RollbackRequest, target: ServedModel) -> None:
        self._activation.activate(target, "rolled back")
        self._on_change(request)
        logger.warning(
            "rolled back from version %s to %s by %s: %s", request.leaving, request.version, request.actor, request.reason
        )

    def record(self, request: RollbackRequest, *, at_once: bool = False) -> asyncio.Task[bool] | None:
        """Inform the registry of a request, see `RollbackSync.record`.

        Parameters
        ----------
        request : RollbackRequest
        at_once : bool
            Whether a person waits: then earlier failures do not delay it.

        Returns
        -------
        Task or None
            Its result is whether the registry knows it; None if nothing is tried now.
        """
        return self._sync.record(request, self._recorded, at_once=at_once)

    async def stop(self) -> None:
        """Stop recording; the request is kept for the next start."""
        task = self._sync.task
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _recorded(self, request: RollbackRequest) -> None:
        if self._own == request:
            self._own = None
        self._drop(request)
        self._on_change(request)


class RollbackSync:
    """Tells the registry of a rollback, one try at a time, with backoff between failures.

    Parameters
    ----------
    source : ModelSource
    poll_seconds : float
        The first delay after a failure; it doubles with each further one.
    clock : callable
        Returns seconds.
    """

    def __init__(self, source: ModelSource, poll_seconds: float, clock: Callable[[], float]) -> None:
        self.task: asyncio.Task[bool] | None = None
        self._request: RollbackRequest | None = None
        self._source = source
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._failures, self._retry_at = 0, 0.0

    def record(
        self, request: RollbackRequest, on_recorded: Callable[[RollbackRequest], None], *, at_once: bool = False
    ) -> asyncio.Task[bool] | None:
        """Try to have the aliases moved and the record written, unless a try is under way or its backoff has not passed.

        Parameters
        ----------
        request : RollbackRequest
        on_recorded : callable
            Called with the request when the registry knows it.
        at_once : bool
            Whether a person waits: then earlier failures do not count.

        Returns
        -------
        Task or None
            Its result is whether the registry knows it; None if nothing is tried now.
        """
        if at_once:
            self._failures, self._retry_at = 0, 0.0
        before = self.task if self.task is not None and not self.task.done() else None
        if before is not None and self._request == request:
            return before
        if self._clock() < self._retry_at:
            return None
        self._request = request
        self.task = asyncio.create_task(self._try(request, on_recorded, before))
        return self.task

    async def _try(
        self, request: RollbackRequest, on_recorded: Callable[[RollbackRequest], None], before: asyncio.Task[bool] | None
    ) -> bool:
        if before is not None:
            # Another rollback, that this one follows: the registry learns of them in the order in which they were made.
            await asyncio.wait({before})
        try:
            await run_in_thread(self._source.roll_back, request)
        except ChurnError as error:
            self._failures += 1
            self._retry_at = self._clock() + backoff_seconds(self._poll_seconds, self._failures, MAX_BACKOFF_SECONDS)
            logger.warning("the registry does not know of the rollback to version %s yet: %s", request.version, error)
            return False
        on_recorded(request)
        return True
