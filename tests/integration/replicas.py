"""Replicas that share a registry and a store, and a scheduler that decides which of their blocking calls returns next.

The rollout's and the lifecycle's own objects, over a registry in memory and a real SQLite store. Every call that a replica makes
in a thread waits here until the test lets it run, and may wait once more with its answer: a slow load is a call that nobody has
picked yet, and a late answer tells what is not so any more. So any order can be tried, and tried again. A replica that is killed
never hears of its calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from churn.contract import load_contract
from churn.errors import ChampionChanged, ChurnError, RegistryError
from churn.lifecycle import promotion
from churn.lifecycle.rollback_request import RollbackRequest
from churn.modeling.model_info import ModelInfo
from churn.store.store import Store
from service.observability.metrics import ServiceMetrics
from service.rollout.activation import Activation
from service.rollout.active_model import ActiveModel
from service.rollout.champion_follower import ChampionFollower
from service.rollout.model_source import LastKnownGood
from service.scoring.served_model import ServedModel
from tests.integration.faulty_registry import DiedError, MemoryRegistry
from tests.unit.service.fakes import FakeRollbackRequests, make_info, make_model, served_model

CALLER: ContextVar[str] = ContextVar("caller", default="nobody")


class Scheduler:
    """An event loop on which no blocking call returns before it is picked."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.calls: list[tuple[str, asyncio.Future[bool], str]] = []
        self.tasks: list[tuple[str, asyncio.Task[Any]]] = []
        self.failures: list[BaseException] = []
        self.loop.set_task_factory(self._note)

    def _note(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
        self.tasks = [one for one in self.tasks if not one[1].done()]
        self.tasks.append((CALLER.get(), task))
        task.add_done_callback(self._look)
        return task

    def _look(self, task: asyncio.Task[Any]) -> None:
        # Nobody awaits some of them: what a check says in one would only be logged.
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ChurnError):
            self.failures.append(error)

    async def to_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        name = getattr(call, "__name__", "?")
        late = await self._turn(name)
        try:
            return call(*arguments)
        finally:
            if late:
                await self._turn(f"answer of {name}")

    async def _turn(self, name: str) -> bool:
        picked: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.calls.append((CALLER.get(), picked, name))
        return await picked

    def begin(self, caller: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        async def begin() -> asyncio.Task[Any]:
            token = CALLER.set(caller)
            try:
                return asyncio.create_task(work)
            finally:
                CALLER.reset(token)

        task = self.loop.run_until_complete(begin())
        self.idle()
        return task

    def idle(self) -> None:
        """Let every task run until it waits for a call."""

        async def pause() -> None:
            for _ in range(30):
                await asyncio.sleep(0)

        self.loop.run_until_complete(pause())
        self.calls = [one for one in self.calls if not one[1].done()]
        if self.failures:
            raise self.failures[0]

    def pick(self, number: int, *, late: bool = False) -> None:
        """Let one of the waiting calls run; a late one waits with its answer until it is picked again."""
        _, picked, _ = self.calls[number % len(self.calls)]
        picked.set_result(late)
        self.idle()

    def finish(self) -> None:
        """Let all calls run, the oldest first, until nobody waits."""
        for _ in range(2_000):
            if not self.calls:
                return
            self.pick(0)
        raise AssertionError(f"these never end: {self.calls}")

    def close(self) -> None:
        self.failures.clear()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.idle()
        self.loop.close()


class Home:
    """What a replica finds again after a restart: the last known good model and a pending rollback."""

    def __init__(self) -> None:
        self.requests = FakeRollbackRequests()
        self.kept: ServedModel | None = None
        self.on_disk: set[str] = set()

    def save(self, served: ServedModel) -> None:
        self.kept = served

    def load(self, _wait: bool, /) -> ServedModel | None:
        return None if self.kept is None else model(self.kept.version, "disk")


class Source:
    """The shared registry as one replica sees it: `service.rollout.model_source.ModelSource`."""

    def __init__(self, registry: MemoryRegistry, store: Store, home: Home) -> None:
        self._registry, self._store, self._home = registry, store, home
        self.away = False

    def aliases(self) -> Mapping[str, str]:
        self._check()
        return self._registry.aliases()

    def run_id(self, version: str, /) -> str:
        self._check()
        return info_of(version).run_id

    def load(self, version: str, /) -> ServedModel:
        self._check()
        self._home.on_disk.add(version)
        return model(version, "registry")

    def load_again(self, version: str, run_id: str, /) -> ServedModel | None:
        return model(version, "disk") if version in self._home.on_disk else None

    def roll_back(self, request: RollbackRequest, /) -> None:
        self._check()
        if self._registry.champion_version() not in (request.leaving, request.version):
            return
        try:
            promotion.rollback(
                self._registry,
                self._store,
                info_of(request.version),
                leaving=request.leaving,
                actor=request.actor,
                reason=request.reason,
                automatic=request.automatic,
                evidence=request.evidence,
                request_id=request.request_id,
            )
        except ChampionChanged:
            pass
        except DiedError:
            raise ChurnError("the loader process died") from None

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.away:
            raise RegistryError("the registry does not answer this replica")


class Replica:
    """One worker process, with the rollout's own objects. `history` says how each model came into service."""

    def __init__(self, name: str, registry: MemoryRegistry, store: Store, home: Home, scheduler: Scheduler) -> None:
        self.name, self.home, self.scheduler = name, home, scheduler
        self.time = 0.0
        self.source = Source(registry, store, home)
        self.active_model = ActiveModel()
        self.activation = Activation(self.active_model, LastKnownGood(home.save, home.load), metrics())
        self.follower = ChampionFollower(
            self.source, self.activation, home.requests, metrics=metrics(), poll_seconds=1.0, clock=lambda: self.time
        )
        self.tasks: list[asyncio.Task[Any]] = []

    @property
    def version(self) -> str | None:
        served = self.active_model.peek()
        return None if served is None else served.version

    def poll(self, *, insist: bool = False) -> None:
        self.begin(self._poll(insist))

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks = [one for one in self.tasks if not one.done()]
        self.tasks.append(self.scheduler.begin(self.name, work))

    def kill(self) -> None:
        """End it: what it was waiting for is never answered."""
        self.scheduler.calls = [one for one in self.scheduler.calls if one[0] != self.name]
        for caller, task in self.scheduler.tasks:
            if caller == self.name:
                task.cancel()
        self.scheduler.idle()

    async def _poll(self, insist: bool) -> None:
        try:
            await self.follower.take_champion(insist=insist)
        except ChurnError:
            if self.active_model.peek() is None:
                await self.follower.restore()
        await self.follower.follow_others()

    def roll_back(self, leaving: ServedModel, actor: str, *, automatic: bool) -> None:
        async def work() -> None:
            with suppress(ChurnError):
                await self.follower.roll_back(
                    leaving, actor=actor, reason="it does worse", automatic=automatic, evidence={"errors": 20}
                )

        self.begin(work())


@cache
def _ready() -> ServedModel:
    return served_model(make_model("1"), "registry")


@cache
def metrics() -> ServiceMetrics:
    return ServiceMetrics(load_contract())


@cache
def info_of(version: str) -> ModelInfo:
    return make_info(version)


@cache
def model(version: str, loaded_from: Literal["registry", "disk"]) -> ServedModel:
    return replace(_ready(), info=info_of(version), loaded_from=loaded_from)
