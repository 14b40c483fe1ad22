"""Which runs count as orphans, and what is told to Prefect's server of them."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from pipelines.flows import orphaned_runs
from pipelines.flows.orphaned_runs import POLL_SECONDS, RUN_ID, UNFINISHED, Watch, crash_orphans, living_runs, orphans


class Client:
    """Stands for Prefect's server: gives the runs that are asked for, and notes what they became."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.runs = [SimpleNamespace(id=name) for name in names]
        self.asked: list[Any] = []
        self.set: list[tuple[Any, ...]] = []
        monkeypatch.setattr(orphaned_runs, "prefect_client", lambda: self)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read_flow_runs(self, *, flow_run_filter: Any) -> list[Any]:
        self.asked.append(flow_run_filter)
        return self.runs

    def set_flow_run_state(self, run: str, state: Any, *, force: bool) -> None:
        self.set.append((run, state.type.value, state.message, force))


CRASHED = ("CRASHED", "its process is gone, and its result is not known", True)


def processes(monkeypatch: pytest.MonkeyPatch, *living: tuple[str | None, str]) -> None:
    made = []
    for number, (run, status) in enumerate(living):
        environ = None if run is None else {RUN_ID: run} if run else {"HOME": "/"}
        made.append(SimpleNamespace(pid=100 + number, info={"environ": environ, "status": status}))

    def listed(wanted: list[str]) -> list[Any]:
        assert set(wanted) == {"environ", "status"}
        return made

    monkeypatch.setattr(psutil, "process_iter", listed)


def test_a_run_lives_by_its_process_unless_that_is_a_zombie(monkeypatch: pytest.MonkeyPatch) -> None:
    processes(
        monkeypatch,
        *((None, psutil.STATUS_RUNNING), ("", psutil.STATUS_RUNNING)),
        *(("a", psutil.STATUS_SLEEPING), ("b", psutil.STATUS_ZOMBIE), ("c", psutil.STATUS_RUNNING)),
    )
    assert living_runs() == {"a": 102, "c": 104}


def test_an_unfinished_run_of_a_deployment_without_a_process_is_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(monkeypatch, "a", "b")
    processes(monkeypatch, ("a", psutil.STATUS_RUNNING))
    assert [run.id for run in orphans()] == ["b"]
    (asked,) = client.asked
    assert asked.state.type.any_ == UNFINISHED
    assert asked.deployment_id.is_null_ is False


@pytest.mark.parametrize(("only", "crashed"), [(None, ["a", "b"]), ({"b"}, ["b"]), (set(), [])])
def test_orphans_are_marked_as_crashed_and_told(
    monkeypatch: pytest.MonkeyPatch, only: set[str] | None, crashed: list[str]
) -> None:
    client = Client(monkeypatch, "a", "b")
    processes(monkeypatch)
    told: list[str] = []
    assert crash_orphans(only, lambda run: told.append(str(run.id))) == len(crashed)
    assert told == crashed
    assert client.set == [(name, *CRASHED) for name in crashed]
    assert crash_orphans(set()) == 0


def test_who_is_crashed_is_told_by_the_watch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Client(monkeypatch, "a")
    processes(monkeypatch)
    told: list[str] = []
    watch = Watch(lambda run: told.append(str(run.id)))
    assert (watch.check(), watch.check(), told) == (0, 1, ["a"])


def test_the_watch_is_a_thread_that_keeps_no_program_from_ending(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[dict[str, Any]] = []

    class Thread:
        def __init__(self, *, target: Callable[[], None], **named: Any) -> None:
            made.append(named)
            self.start = target

    monkeypatch.setattr(threading, "Thread", Thread)
    watch, found, waited = Watch(), iter([0, 2]), list[float]()
    monkeypatch.setattr(watch, "check", lambda: next(found))

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == 3

    stop: Any = SimpleNamespace(wait=wait)
    watch.start(stop)
    assert waited == [POLL_SECONDS] * 3
    assert made == [{"name": "orphans", "daemon": True}]
    assert [record.getMessage() for record in caplog.records] == ["2 flow runs ended without a result, and are marked as crashed"]
    assert inspect.signature(Watch.start).parameters["seconds"].default == 30.0
