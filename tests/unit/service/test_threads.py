from __future__ import annotations

import ast
import asyncio
import contextvars
import inspect
import threading
from pathlib import Path
from queue import Empty
from types import SimpleNamespace

import pytest

import service
from service import threads
from service.app import ServiceApp
from service.http.errors import Overloaded
from service.threads import CLIENT_THREADS, WorkerThreads, run_in_thread

pytestmark = pytest.mark.anyio
# What would run work in threads that everybody shares.
SHARED = {"to_thread", "run_in_executor", "run_in_threadpool", "iterate_in_threadpool", "run_sync", "ThreadPoolExecutor"}


async def until(condition: object) -> None:
    async with asyncio.timeout(60):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.001)


async def test_work_returns_raises_and_sees_the_context_of_its_request() -> None:
    threads = WorkerThreads("t", 1, 1)
    assert await threads.run(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    current = contextvars.ContextVar("current", default="none")
    current.set("mine")
    assert await threads.run(current.get) == await run_in_thread(current.get) == "mine"
    assert [part async for part in threads.stream(iter("abc"))] == ["a", "b", "c"]


async def test_a_full_queue_refuses_new_work_and_not_the_rest_of_an_answer() -> None:
    threads, leave = WorkerThreads("t", 2, 3), threading.Event()
    begun: list[int] = []

    def work(n: int) -> int:
        begun.append(n)
        leave.wait(120)
        return n

    waiting = [asyncio.ensure_future(threads.run(lambda n=n: work(n))) for n in range(2)]  # type: ignore[misc]
    await until(lambda: len(begun) == 2)
    waiting += [asyncio.ensure_future(threads.run(lambda n=n: work(n))) for n in range(2, 5)]  # type: ignore[misc]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await threads.run(lambda: 0)
    rest = asyncio.ensure_future(threads.run(lambda: 9, is_begun=True))
    # Nothing of the service's own waits behind it.
    assert await run_in_thread(lambda: 1) == 1
    assert sorted(begun) == [0, 1]
    leave.set()
    assert await asyncio.gather(*waiting, rest) == [0, 1, 2, 3, 4, 9]


async def test_work_for_a_client_who_left_is_not_begun() -> None:
    threads, leave = WorkerThreads("t", 1, 3), threading.Event()
    begun: list[int] = []
    first = asyncio.ensure_future(threads.run(lambda: leave.wait(120)))
    second = asyncio.ensure_future(threads.run(lambda: begun.append(2)))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    leave.set()
    await first
    await threads.run(lambda: begun.append(3))
    assert begun == [3]


async def test_no_thread_keeps_the_process_from_ending() -> None:
    kinds = [await WorkerThreads("t", 1, 1).run(threading.current_thread), await run_in_thread(threading.current_thread)]
    assert all(thread.daemon for thread in kinds)


def test_nothing_in_the_service_uses_threads_that_everybody_shares() -> None:
    found = []
    for file in Path(service.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if name in SHARED:
                found.append(f"{file.name}:{getattr(node, 'lineno', 0)} {name}")
    assert found == []
    assert CLIENT_THREADS <= 4, "each thread that computes keeps the event loop waiting"


def test_no_route_and_no_dependency_is_run_in_a_shared_thread(app: ServiceApp) -> None:
    """FastAPI runs plain functions in anyio's threads, of which there are forty for all."""
    calls = []

    def gather(dependant: object) -> None:
        calls.append(dependant.call)  # type: ignore[attr-defined]
        for one in dependant.dependencies:  # type: ignore[attr-defined]
            gather(one)

    for module in inspect.getmodule(type(app)).ROUTES:  # type: ignore[union-attr]
        for route in module.router.routes:
            gather(route.dependant)
    assert len(calls) > 30
    functions = [call if inspect.isroutine(call) else type(call).__call__ for call in calls if call is not None]
    assert [function for function in functions if not inspect.iscoroutinefunction(function)] == []


async def test_memory_is_given_back_after_work_and_not_after_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = threading.Event()
    times: list[int] = []

    def note() -> None:
        times.append(1)
        given_back.set()

    monkeypatch.setattr(threads, "give_back_memory", note)
    monkeypatch.setattr(threads, "GIVE_BACK_SECONDS", 0.2)
    pool = threads.WorkerThreads("test", 1, 64)
    for _ in range(50):
        await pool.run(int)
    assert await threads.run_in_thread(given_back.wait, 30)
    assert len(times) < 50


def test_a_thread_that_has_given_memory_back_sleeps_until_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each idle worker would wake every second, for good."""
    work = [SimpleNamespace(run=lambda: None), Empty(), SimpleNamespace(run=lambda: None), KeyboardInterrupt()]
    timeouts: list[float | None] = []
    given_back: list[int] = []

    def get(timeout: float | None) -> object:
        timeouts.append(timeout)
        found = work.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(threads, "give_back_memory", lambda: given_back.append(len(timeouts)))
    monkeypatch.setattr(threads, "time", SimpleNamespace(monotonic=lambda: 0.6 * len(timeouts)))
    pool = threads.WorkerThreads("test", 1, 1)
    pool._queue = SimpleNamespace(get=get)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        pool._serve()
    assert timeouts == [None, threads.GIVE_BACK_SECONDS, None, threads.GIVE_BACK_SECONDS]
    assert given_back == [2]
