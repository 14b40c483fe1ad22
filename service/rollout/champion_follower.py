"""Following the champion: a new one is loaded beside the old, put to the test, and takes over by one assignment.

The follower looks at the registry's aliases every few seconds. An order to roll back (`service.rollout.rollback_requests`) comes before what the
registry says, until the registry has been told or says something new.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from churn.errors import ChurnError, ModelRefused, NoModel, NoPreviousModel, RegistryError
from churn.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS
from service.observability.metrics import ServiceMetrics
from service.recording import RollbackSync
from service.rollout.active_model import ActiveModel, is_same
from service.rollout.backoff import Refusals, pause_seconds
from service.rollout.model_source import LastKnownGood, ModelSource
from service.rollout.rollback_requests import MemoryRollbackRequests, RollbackRequest, RollbackRequests
from service.scoring.served_model import ServedModel

# A last known good model that is ready on disk does not wait longer for a registry that is slow to answer.
FIRST_POLL_SECONDS, MAX_FIRST_POLL_SECONDS = 1.0, 10.0
MAX_BACKOFF_SECONDS = 30.0
# A rollback is in force at once; so long its answer waits for the record.
RECORD_SECONDS = 15.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RolledBack:
    """A rollback that is in force; `recorded` tells whether the registry knows it already (or else is told later)."""

    leaving: str
    version: str
    recorded: bool


class ChampionFollower:
    """Looks for a new champion every `poll_seconds`, less often while the registry is away.

    Attributes
    ----------
    aliases : mapping
        Alias to version, as the registry last said.
    on_activation : callable
        Told of each change of the model in service: the one before, the one after.
    on_challenger : callable
        Told of each new challenger, and None when there is none any more.
    """

    def __init__(
        self,
        source: ModelSource,
        active_model: ActiveModel,
        last_known_good: LastKnownGood,
        *,
        metrics: ServiceMetrics,
        poll_seconds: float,
        requests: RollbackRequests | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aliases: Mapping[str, str] = {}
        self.on_activation: Callable[[ServedModel, ServedModel], None] = lambda _before, _after: None
        self.on_challenger: Callable[[ServedModel | None], None] = lambda _challenger: None
        self._source = source
        self._active_model = active_model
        self._last_known_good = last_known_good
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._requests: RollbackRequests = requests if requests is not None else MemoryRollbackRequests()
        self._refusals = Refusals(poll_seconds, clock, metrics.models.refused)
        self._rollback_sync = RollbackSync(source, poll_seconds, clock)
        self._one_at_a_time = asyncio.Lock()
        self._challenger: str | None = None
        self._told = ""
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow. Returns with a model in service if the registry has one in time, or else the disk; or with none."""
        self._task = asyncio.create_task(self._follow())
        if not await self._poll_within(FIRST_POLL_SECONDS):
            await self._take_last_known_good(patient=False)
        if self._active_model.peek() is None and not await self._poll_within(MAX_FIRST_POLL_SECONDS):
            logger.warning("the registry has not answered for %g seconds; going on without it", MAX_FIRST_POLL_SECONDS)
        if self._active_model.peek() is None:
            await self._take_last_known_good(patient=True)

    async def stop(self) -> None:
        """Stop following."""
        self._source.close()
        tasks = {task for task in (self._task, self._rollback_sync.task) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def take_champion(self, *, insist: bool = False) -> bool:
        """Take the registry's champion, if it is not in service already; tell whether the model in service changed.

        Parameters
        ----------
        insist : bool
            A person asks: a version that was refused a moment ago is tried again, and one that was rolled back taken again.

        Raises
        ------
        RegistryError, ModelRefused
            The model in service stays.
        """
        async with self._one_at_a_time:
            try:
                return await self._look(insist)
            except ChurnError as error:
                self._note(error)
                raise

    async def roll_back(self, *, actor: str, reason: str) -> RolledBack:
        """Let the model before this one take over at once, and have the registry's aliases moved, with a record.

        If the registry or the store is away, the rollback holds here (also over a restart, and for the other workers of this
        home), and is recorded later: until then, or until somebody else is made champion or a person reloads.

        Raises
        ------
        NoModel, NoPreviousModel
        """
        async with self._one_at_a_time:
            leaving, target = self._active_model.current(), self._active_model.previous
            if target is None:
                raise NoPreviousModel("there is no previous model to go back to")
            request = RollbackRequest(leaving.version, target.version, target.info.run_id, actor, reason)
            try:
                await asyncio.to_thread(self._requests.write, request)
            except OSError as error:
                logger.warning("the rollback holds only in this worker, until it stops: %s", error)
                self._requests = MemoryRollbackRequests()
                self._requests.write(request)
            await self._obey(request)
            recording = self._rollback_sync.record(request, self._recorded, at_once=True)
        if recording is not None:
            await asyncio.wait({recording}, timeout=RECORD_SECONDS)
        return RolledBack(leaving.version, target.version, recording is not None and recording.done() and recording.result())

    async def follow_others(self) -> None:
        """Keep the previous champion warm, and follow the challenger. What goes wrong is noted, and tried again."""
        served = self._active_model.peek()
        if served is None:
            return
        previous, warm = self.aliases.get(PREVIOUS), self._active_model.previous
        if previous not in (None, served.version, warm and warm.version):
            loaded = await self._load_quietly(str(previous))
            if loaded is not None and self._active_model.peek() is served:
                self._active_model.keep_warm(loaded)
        challenger = self.aliases.get(CHALLENGER)
        if challenger == served.version:
            challenger = None
        if challenger != self._challenger:
            loaded = await self._load_quietly(challenger) if challenger is not None else None
            # One that is refused takes nobody's place, but the old one is challenger no more.
            self._challenger = loaded.version if loaded is not None else None
            self.on_challenger(loaded)

    async def _look(self, insist: bool) -> bool:
        request = await asyncio.to_thread(self._requests.read)
        changed = request is not None and await self._obey(request)
        self.aliases = await asyncio.to_thread(self._source.aliases)
        champion = self.aliases.get(CHAMPION)
        if champion is None:
            raise NoModel("there is no champion; train one with: churn train")
        if request is not None and (insist or champion != request.leaving):
            # The registry knows it, or somebody decided otherwise since.
            await asyncio.to_thread(self._requests.clear)
            request = None
        if request is not None:
            self._rollback_sync.record(request, self._recorded)
            return changed
        return await self._take(champion, insist) or changed

    async def _take(self, version: str, insist: bool) -> bool:
        # A model from disk is loaded anew: another registry may have given its number to another model.
        current, warm = self._active_model.peek(), self._active_model.previous
        if current is not None and current.version == version and current.loaded_from == "registry":
            return False
        if warm is not None and warm.version == version and warm.loaded_from == "registry":
            served = warm
        elif version in self._refusals and not insist:
            return False
        else:
            served = await self._load(version)
        self._activate(served, "loaded")
        self._told = ""
        await self._remember(served)
        return True

    async def _obey(self, request: RollbackRequest) -> bool:
        """Let the version that an order names take over from the one that is to leave; tell whether it did."""
        current, target = self._active_model.peek(), self._active_model.previous
        if current is None or current.version != request.leaving:
            return False
        if target is None or (target.version, target.info.run_id) != (request.version, request.run_id):
            target = await asyncio.to_thread(self._source.load_again, request.version, request.run_id)
        if target is None:
            logger.error("version %s is to be left for %s, which is not here any more", request.leaving, request.version)
            return False
        self._activate(target, "rolled back")
        logger.warning("version %s was left for %s by %s: %s", request.leaving, request.version, request.actor, request.reason)
        await self._remember(target)
        return True

    def _activate(self, served: ServedModel, result: str) -> None:
        before = self._active_model.peek()
        self._active_model.activate(served)
        self._metrics.show_model(served.info)
        self._metrics.models.show_path(served.path)
        self._metrics.reloads.labels(result).inc()
        logger.info("model version %s is in service", served.version)
        if before is not None and not is_same(before, served) and result == "loaded":
            self.on_activation(before, served)

    def _recorded(self, request: RollbackRequest) -> None:
        if self._requests.read() == request:
            self._requests.clear()
        # As the registry will say at the next look.
        self.aliases = {**self.aliases, CHAMPION: request.version, PREVIOUS: request.leaving}

    async def _load(self, version: str) -> ServedModel:
        try:
            served = await asyncio.to_thread(self._source.load, version)
        except ModelRefused:
            self._refusals.add(version)
            raise
        self._refusals.forget(version)
        return served

    async def _load_quietly(self, version: str) -> ServedModel | None:
        if version in self._refusals:
            return None
        try:
            return await self._load(version)
        except ChurnError as error:
            self._note(error)
            return None

    async def _follow(self) -> None:
        failures = 0
        while True:
            error = await self._survive(self.take_champion())
            # An empty registry and a refused version are asked about at the usual pace: the answer is there, and may change.
            away = error is not None and not isinstance(error, NoModel | ModelRefused)
            failures = failures + 1 if away else 0
            self._metrics.models.registry_up.set(not away)
            self._looked.set()
            if not away:
                await self._survive(self.follow_others())
            await asyncio.sleep(pause_seconds(self._poll_seconds, failures, MAX_BACKOFF_SECONDS))

    async def _survive(self, step: Coroutine[Any, Any, object]) -> BaseException | None:
        attempt = asyncio.create_task(step)
        try:
            await asyncio.wait({attempt})
        except asyncio.CancelledError:
            attempt.cancel()
            raise
        error = attempt.exception()
        if error is not None and not isinstance(error, ChurnError):
            # A bug. It is not hidden, but the next champion must still be found.
            self._metrics.reloads.labels("failed").inc()
            logger.error("looking for the champion failed", exc_info=error)
        return error

    async def _poll_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._looked.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _take_last_known_good(self, *, patient: bool) -> None:
        try:
            served = await asyncio.to_thread(self._last_known_good.take, patient)
        except ChurnError as error:
            logger.warning("the last known good model cannot serve: %s", error)
            return
        # The registry may have answered in the meantime: what it says is newer.
        if served is not None and self._active_model.peek() is None:
            self._active_model.activate(served)
            self._metrics.show_model(served.info)
            self._metrics.models.show_path(served.path)
            logger.warning("the registry gave no model yet; version %s, the last known good, is in service", served.version)

    async def _remember(self, served: ServedModel) -> None:
        try:
            await asyncio.to_thread(self._last_known_good.put, served)
        except OSError as error:
            logger.warning("version %s serves, but cannot be remembered on disk: %s", served.version, error)

    def _note(self, error: ChurnError) -> None:
        """Count a failure, and log it unless it is the same as the last one."""
        if not isinstance(error, NoModel):
            result = (
                "refused" if isinstance(error, ModelRefused) else "unreachable" if isinstance(error, RegistryError) else "failed"
            )
            self._metrics.reloads.labels(result).inc()
        if str(error) != self._told:
            self._told = str(error)
            # Loudly: somebody made it champion, and it does not serve.
            logger.log(logging.ERROR if isinstance(error, ModelRefused) else logging.WARNING, "no new champion: %s", error)
