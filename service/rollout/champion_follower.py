"""Following the champion: a new one is loaded and checked beside the old one, and takes over by one assignment.

The follower polls the registry's aliases. A pending rollback request (`service.rollout.rollback_requests`) comes before what the
registry says, until the registry has been told of it or names another champion.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from churn.errors import ChampionChanged, ChurnError, ModelRefused, NoModel, NoPreviousModel, RegistryError
from churn.lifecycle.rollback_request import RollbackRequest
from churn.registry.aliases import CHALLENGER, CHAMPION, NO_CHAMPION, PREVIOUS, ROLLED_BACK
from service.observability.metrics import ServiceMetrics
from service.rollout.activation import Activation
from service.rollout.active_model import is_same, why_none
from service.rollout.backoff import RefusedVersions, backoff_seconds
from service.rollout.model_loads import ModelLoads
from service.rollout.model_source import ModelSource
from service.rollout.rollback import Rollback, RollbackResult, RollbackSync
from service.rollout.rollback_requests import RollbackRequests
from service.scoring.served_model import ServedModel
from service.threads import run_in_thread

# A last known good model that is ready on disk does not wait longer for a registry that is slow to answer.
FIRST_POLL_SECONDS, MAX_FIRST_POLL_SECONDS = 1.0, 10.0
MAX_POLL_SECONDS = 30.0
# A rollback is in force at once; its response waits at most so long for the record.
RECORD_SECONDS = 15.0
logger = logging.getLogger(__name__)


class ChampionFollower:
    """Polls for a new champion every `poll_seconds`, less often while the registry is away.

    Parameters
    ----------
    source : ModelSource
    activation : Activation
    requests : RollbackRequests
        Where a pending rollback request is kept.
    metrics : ServiceMetrics
    poll_seconds : float
    clock : callable
        Returns seconds.

    Attributes
    ----------
    aliases : mapping
        Alias to version, as the registry last said.
    on_challenger : callable
        Called with each new challenger, and with None when there is none any more.
    """

    def __init__(
        self,
        source: ModelSource,
        activation: Activation,
        requests: RollbackRequests,
        *,
        metrics: ServiceMetrics,
        poll_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aliases: Mapping[str, str] = {}
        self.on_challenger: Callable[[ServedModel | None], None] = lambda _challenger: None
        self._source = source
        self._activation = activation
        self._active_model = activation.active_model
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._loads = ModelLoads(source, RefusedVersions(poll_seconds, clock, metrics.models.refused))
        sync = RollbackSync(source, poll_seconds, clock)
        self._rollback = Rollback(source, activation, requests, sync, self._follow_rollback)
        self._challenger: str | None = None
        self._last_error = ""
        self._polled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow. Return with a model from the registry if it answers in time, else from the disk, else with none."""
        self._task = asyncio.create_task(self._follow())
        if not await self._polled_within(FIRST_POLL_SECONDS):
            await self.restore(wait=False)
        if self._active_model.peek() is None and not await self._polled_within(MAX_FIRST_POLL_SECONDS):
            logger.warning("the registry has not answered for %g seconds; going on without it", MAX_FIRST_POLL_SECONDS)
        if self._active_model.peek() is None:
            await self.restore()

    async def restore(self, *, wait: bool = True) -> None:
        """Activate the last known good model, or the target of a pending rollback that leaves it; see `Activation.restore`."""
        await self._activation.restore(self._rollback.instead_of, wait=wait)

    async def stop(self) -> None:
        """Stop following."""
        self._source.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._loads.cancel()
        await self._rollback.stop()

    async def take_champion(self, *, insist: bool = False) -> bool:
        """Take the registry's champion unless it is in service already. Return whether the model in service changed.

        Parameters
        ----------
        insist : bool
            A person asks: a refused version is tried again at once, and one that was rolled back is taken again.

        Raises
        ------
        RegistryError, ModelRefused
            The model in service stays.
        """
        try:
            return await self._poll(insist)
        except ChurnError as error:
            self._note_failure(error)
            raise

    async def roll_back(
        self,
        leaving: ServedModel,
        *,
        actor: str,
        reason: str,
        automatic: bool = False,
        evidence: Mapping[str, Any] | None = None,
    ) -> RollbackResult:
        """Let the model before `leaving` take over at once, and have the registry's aliases moved, with a record.

        If the registry or the store is away, it holds here (also over a restart, and for the other workers of this home) until it
        is recorded, the registry names another champion, or a person reloads. It does not wait for a load.

        Parameters
        ----------
        leaving : ServedModel
            The model for which the rollback was decided.
        actor, reason : str
            For the record.
        automatic : bool
            Whether no person asked for it. Then it never leads to the version that the last rollback left.
        evidence : mapping, optional
            The figures behind it, JSON-ready; for the record.

        Returns
        -------
        RollbackResult

        Raises
        ------
        ChampionChanged
            If another model serves by now; nothing is changed.
        NoPreviousModel
        """
        pending = await self._rollback.pending() if automatic else None
        target = self._active_model.previous
        if not is_same(leaving, self._active_model.current()):
            raise ChampionChanged(f"version {leaving.version} is not in service any more; nothing was changed")
        if target is None:
            raise NoPreviousModel("there is no previous model to go back to")
        if automatic and target.version in (self.aliases.get(ROLLED_BACK), pending and pending.leaving):
            raise NoPreviousModel(f"version {target.version} was left by a rollback, and only a person takes it again")
        request = RollbackRequest(
            leaving.version, leaving.info.run_id, target.version, target.info.run_id, actor, reason, automatic, evidence or {}
        )
        await self._rollback.request(request, target)
        recording = self._rollback.record(request, at_once=True)
        if recording is not None:
            await asyncio.wait({recording}, timeout=RECORD_SECONDS)
        recorded = recording is not None and recording.done() and recording.result()
        return RollbackResult(request.leaving, request.version, recorded)

    async def follow_others(self) -> None:
        """Keep the previous champion loaded, and follow the challenger. Failures are logged and tried again."""
        served = self._active_model.peek()
        if served is None:
            return
        previous, warm = self.aliases.get(PREVIOUS), self._active_model.previous
        if previous not in (None, served.version, warm and warm.version):
            loaded = await self._loads.load_quietly(str(previous), self._note_failure)
            if loaded is not None and self._active_model.peek() is served and self.aliases.get(PREVIOUS) == loaded.version:
                self._active_model.keep_warm(loaded)
        challenger = self.aliases.get(CHALLENGER)
        if challenger == served.version:
            challenger = None
        if challenger != self._challenger:
            loaded = await self._loads.load_quietly(challenger, self._note_failure) if challenger is not None else None
            if loaded is not None and self.aliases.get(CHALLENGER) != loaded.version:
                # It was replaced, or withdrawn, while it was loaded.
                return
            # A refused one takes no place, but the old one is no longer the challenger.
            self._challenger = loaded.version if loaded is not None else None
            self.on_challenger(loaded)

    async def _poll(self, insist: bool) -> bool:
        changed, ready = False, None
        while True:
            decided_at = self._active_model.changes
            request = await self._rollback.pending()
            changed |= request is not None and await self._rollback.apply(request)
            aliases, run_id = await self._read_champion()
            champion = aliases[CHAMPION]
            if request is not None and (insist or not request.leaves(champion, run_id)):
                # The registry knows it, or somebody has decided otherwise since.
                await self._rollback.clear()
                request = None
            if decided_at != self._active_model.changes:
                # A rollback (this one's, perhaps), or another poll, came in between: what was read may be older.
                continue
            self.aliases = aliases
            if request is not None:
                self._rollback.record(request)
                return changed
            current = self._active_model.peek()
            if current is not None and _is_registered(current, champion, run_id):
                self._forget_previous(aliases)
                return changed
            served = next((one for one in (ready, self._active_model.previous) if _is_registered(one, champion, run_id)), None)
            if served is not None:
                self._activation.activate(served, "loaded")
                self._forget_previous(aliases)
                self._last_error = ""
                await self._activation.save()
                return True
            if champion in self._loads.refused and not insist:
                return changed
            # This may take minutes. What is true afterwards is read anew; an old model is not activated because it was slow.
            ready = await self._loads.load(champion)

    async def _read_champion(self) -> tuple[Mapping[str, str], str]:
        aliases = await run_in_thread(self._source.aliases)
        if (champion := aliases.get(CHAMPION)) is None:
            self.aliases = aliases
            raise NoModel(NO_CHAMPION)
        return aliases, await run_in_thread(self._source.run_id, champion)

    def _forget_previous(self, aliases: Mapping[str, str]) -> None:
        # This process may have missed champions in between: a rollback leads to the one that the registry calls previous.
        if (warm := self._active_model.previous) is not None and aliases.get(PREVIOUS) not in (None, warm.version):
            self._active_model.keep_warm(None)

    def _follow_rollback(self, request: RollbackRequest) -> None:
        # As the registry will say once it knows.
        self.aliases = {**self.aliases, CHAMPION: request.version, PREVIOUS: request.leaving, ROLLED_BACK: request.leaving}

    async def _follow(self) -> None:
        failures = 0
        while True:
            error = await self._survive(self.take_champion())
            # An empty registry and a refused version keep the usual pace: the registry answers, and its answer may change.
            away = error is not None and not isinstance(error, NoModel | ModelRefused)
            failures = failures + 1 if away else 0
            self._metrics.models.registry_up.set(not away)
            self._polled.set()
            if not away:
                await self._survive(self.follow_others())
            await asyncio.sleep(backoff_seconds(self._poll_seconds, failures, MAX_POLL_SECONDS))

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
            logger.error("polling for the champion failed", exc_info=error)
        return error

    async def _polled_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._polled.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _note_failure(self, error: ChurnError) -> None:
        """Count a failure, and log it unless it is the same as the last one."""
        self._active_model.why_none = why_none(error)
        if not isinstance(error, NoModel):
            refused, away = isinstance(error, ModelRefused), isinstance(error, RegistryError)
            self._metrics.reloads.labels("refused" if refused else "unreachable" if away else "failed").inc()
        if str(error) != self._last_error:
            self._last_error = str(error)
            # A refusal is an error: somebody promoted a model that does not serve.
            logger.log(logging.ERROR if isinstance(error, ModelRefused) else logging.WARNING, "no new champion: %s", error)


def _is_registered(served: ServedModel | None, version: str, run_id: str) -> bool:
    # A model from disk is loaded again: its artifact is held against the registry's digest then.
    return served is not None and (served.version, served.info.run_id, served.loaded_from) == (version, run_id, "registry")
