"""Threads of the service, so that what must always work never waits behind clients' bodies.

Clients' bodies have a few threads and a bounded queue (`CLIENT_WORK`). The service's own work (the store's ping, the spool,
models, shutdown) takes a thread of its own each time (`run_in_thread`): it is rare, and there is no pool that could be full.
Nothing uses asyncio's or anyio's default threads. All are daemons: a body that computes, or a store that hangs, does not keep the
process from ending. Clients have few threads because each that computes keeps the event loop waiting for Python's lock.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from churn.errors import ChurnError, without_frames
from service.http.errors import Overloaded
from service.memory import give_back_memory

P = ParamSpec("P")
T = TypeVar("T")
CLIENT_THREADS, CLIENT_WAITING = 2, 64
# How often the memory that bodies took is given back to the system.
GIVE_BACK_SECONDS = 1.0
_END = object()


class _Job:
    """Work for a thread, and who waits for it on which event loop."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work, self._context = work, contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()

    def run(self) -> None:
        """Do the work, unless nobody waits for it any more."""
        if self.future.cancelled():
            return
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._context.run(self._work)
        except ChurnError as raised:
            error = without_frames(raised)
        except BaseException as raised:  # noqa: BLE001 -- raised where it is waited for
            error = raised
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class WorkerThreads:
    """A few threads with a bounded queue. They start when they are first needed.

    Parameters
    ----------
    name : str
    threads : int
        At least 1.
    max_waiting : int
        How much work may wait for a thread.
    """

    def __init__(self, name: str, threads: int, max_waiting: int) -> None:
        self._name, self._threads, self._max_waiting = name, threads, max_waiting
        self._queue: SimpleQueue[_Job] = SimpleQueue()
        self._started = 0

    async def run(self, work: Callable[[], T], *, is_begun: bool = False) -> T:
        """Return what `work` returns, in one of the threads.

        Parameters
        ----------
        work : callable
        is_begun : bool
            Whether its answer has begun already: then it waits even where others are refused.

        Returns
        -------
        object

        Raises
        ------
        Overloaded
            If too much waits already.
        """
        if not is_begun and self._queue.qsize() >= self._max_waiting:
            raise Overloaded("Too many bodies wait to be read.")
        job = _Job(work)
        self._queue.put(job)
        if self._started < self._threads:
            self._started += 1
            threading.Thread(target=self._serve, name=f"{self._name}-{self._started}", daemon=True).start()
        return await job.future  # type: ignore[no-any-return]

    async def stream(self, parts: Iterator[T]) -> AsyncIterator[T]:
        """Yield each part of an answer; each is made in one of the threads."""
        while (part := await self.run(lambda: next(parts, _END), is_begun=True)) is not _END:
            yield part  # type: ignore[misc]

    def _serve(self) -> None:
        given_back, is_dirty = time.monotonic(), False
        while True:
            try:
                self._queue.get(timeout=GIVE_BACK_SECONDS if is_dirty else None).run()
                is_dirty = True
            except Empty:
                pass  # a moment without work is the best one
            if is_dirty and time.monotonic() - given_back >= GIVE_BACK_SECONDS:
                give_back_memory()
                given_back, is_dirty = time.monotonic(), False


# One for all apps of a process: they share its processors, too.
CLIENT_WORK = WorkerThreads("client-work", CLIENT_THREADS, CLIENT_WAITING)


async def run_in_thread(work: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T:
    """Return what `work` returns, in a new thread. Not for what clients send.

    Parameters
    ----------
    work : callable
    *given, **named
        Its arguments.

    Returns
    -------
    object
    """
    job = _Job(partial(work, *given, **named))
    threading.Thread(target=job.run, name=getattr(work, "__qualname__", "work"), daemon=True).start()
    return await job.future  # type: ignore[no-any-return]
