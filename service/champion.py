"""Following the champion: a new one is loaded beside the old, put to the test, and takes over by one assignment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from churn.contract import Contract
from churn.errors import ChurnError, ModelRefused, NoModel, RegistryError
from churn.model import Model
from service.metrics import ServiceMetrics
from service.predictor import ServedModel
from service.verification import verified

FIRST_LOOK_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_REFUSAL_SECONDS = 300.0
logger = logging.getLogger(__name__)


class ModelSource(Protocol):
    """What the service needs of `churn.registry.Registry`."""

    def champion_version(self) -> str:
        """Tell which version is champion; NoModel if none is, RegistryError if the registry is away."""

    def load(self, version: str, /) -> Model:
        """Load a version; ModelRefused if it is not what it claims to be."""


@dataclass(frozen=True)
class Shelf:
    """The last known good model on disk: how to put one there, and how to take it."""

    put: Callable[[Model], None]
    take: Callable[[], Model | None]


class ModelHolder:
    """Holds the one reference to the model in service."""

    def __init__(self) -> None:
        self._served: ServedModel | None = None

    def current(self) -> ServedModel:
        """Give the model in service. A request asks once and keeps what it got; NoModel if there is none yet."""
        if self._served is None:
            raise NoModel("no model is in service yet; train one with: churn train")
        return self._served

    def peek(self) -> ServedModel | None:
        """Give the model in service, if any."""
        return self._served

    def swap(self, served: ServedModel) -> None:
        """Let `served` take over: requests that are running finish with the model they have."""
        self._served = served


@dataclass
class _Refusal:
    """A version that was refused, and when it may be tried again: it may have been broken on its way here."""

    version: str
    times: int
    retry_at: float


class ChampionFollower:
    """Looks for a new champion every `poll_seconds`, less often while the registry is away."""

    def __init__(
        self,
        source: ModelSource,
        holder: ModelHolder,
        shelf: Shelf,
        *,
        contract: Contract,
        metrics: ServiceMetrics,
        poll_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.champion: str | None = None
        self._source = source
        self._holder = holder
        self._shelf = shelf
        self._contract = contract
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._refusal: _Refusal | None = None
        self._told = ""
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow. Returns with a model in service if the registry has one in time, or else the disk; or with none."""
        self._task = asyncio.create_task(self._follow())
        try:
            await asyncio.wait_for(self._looked.wait(), FIRST_LOOK_SECONDS)
        except TimeoutError:
            logger.warning("the registry has not answered for %g seconds; going on without it", FIRST_LOOK_SECONDS)
        if self._holder.peek() is None:
            await self._take_last_known_good()

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def take_champion(self, *, insist: bool = False) -> bool:
        """Take the registry's champion, if it is not in service already; tell whether it took over.

        Parameters
        ----------
        insist : bool
            Whether a version that was refused a moment ago is tried again.

        Raises
        ------
        RegistryError, ModelRefused
            The model in service stays.
        """
        async with self._one_at_a_time:
            try:
                served = await self._load_new_champion(insist)
            except ChurnError as error:
                self._note(error)
                raise
            if served is None:
                return False
            self._holder.swap(served)
            self._metrics.show_model(served.model.info)
            self._metrics.reloads.labels("loaded").inc()
            self._refusal, self._told = None, ""
            logger.info("model version %s is in service", served.version)
            await self._remember(served.model)
            return True

    async def _load_new_champion(self, insist: bool) -> ServedModel | None:
        version = await asyncio.to_thread(self._source.champion_version)
        self.champion = version
        current = self._holder.peek()
        # A model from disk is loaded anew: another registry may have given its number to another model.
        if current is not None and current.version == version and current.loaded_from == "registry":
            return None
        refusal = self._refusal
        if refusal is not None and refusal.version == version and not insist and self._clock() < refusal.retry_at:
            return None
        try:
            return await asyncio.to_thread(lambda: verified(self._source.load(version), self._contract, "registry"))
        except ModelRefused:
            times = refusal.times + 1 if refusal is not None and refusal.version == version else 1
            pause = pause_seconds(self._poll_seconds, times, LONGEST_REFUSAL_SECONDS)
            self._refusal = _Refusal(version, times, self._clock() + pause)
            raise

    async def _follow(self) -> None:
        failures = 0
        while True:
            attempt = asyncio.create_task(self.take_champion())
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
            # An empty registry and a refused version are asked about at the usual pace: the answer is there, and may change.
            away = error is not None and not isinstance(error, NoModel | ModelRefused)
            failures = failures + 1 if away else 0
            self._looked.set()
            await asyncio.sleep(pause_seconds(self._poll_seconds, failures, LONGEST_PAUSE_SECONDS))

    async def _take_last_known_good(self) -> None:
        try:
            model = await asyncio.to_thread(self._shelf.take)
            served = None if model is None else await asyncio.to_thread(verified, model, self._contract, "disk")
        except ModelRefused as error:
            logger.warning("the last known good model is refused: %s", error)
            return
        # The registry may have answered in the meantime: what it says is newer.
        if served is not None and self._holder.peek() is None:
            self._holder.swap(served)
            self._metrics.show_model(served.model.info)
            logger.warning("the registry has no model to give; version %s, the last known good, is in service", served.version)

    async def _remember(self, model: Model) -> None:
        try:
            await asyncio.to_thread(self._shelf.put, model)
        except OSError as error:
            logger.warning("version %s serves, but cannot be remembered on disk: %s", model.info.version, error)

    def _note(self, error: ChurnError) -> None:
        """Count a failure, and log it unless it is the same as the last one."""
        if not isinstance(error, NoModel):
            result = (
                "refused" if isinstance(error, ModelRefused) else "unreachable" if isinstance(error, RegistryError) else "failed"
            )
            self._metrics.reloads.labels(result).inc()
        if str(error) != self._told:
            self._told = str(error)
            logger.warning("no new champion: %s", error)


def pause_seconds(poll_seconds: float, failures: int, longest: float) -> float:
    """Give the pause before the next look: the usual one, doubled with each failure in a row, up to `longest`.

    Examples
    --------
    >>> [pause_seconds(2, failures, 30) for failures in (0, 1, 2, 3, 100)]
    [2.0, 4.0, 8.0, 16.0, 30.0]
    """
    return float(max(poll_seconds, min(longest, poll_seconds * 2.0 ** min(failures, 20))))
