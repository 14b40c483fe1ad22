from __future__ import annotations

import threading
from types import SimpleNamespace

import httpx
import pytest

from pipelines.flows import orphaned_runs
from pipelines.flows.orphaned_runs import Watch


@pytest.fixture
def server(monkeypatch):
    """Runs that Prefect's server takes for unfinished, and those that it was told are crashed."""
    state = SimpleNamespace(unfinished=[], crashed=[], away=False)

    def listed():
        if state.away:
            raise httpx.ConnectError("refused")
        return [SimpleNamespace(id=name) for name in state.unfinished]

    def crash(only, on_crash):
        state.crashed += sorted(only)
        state.unfinished = [name for name in state.unfinished if name not in only]
        return len(only)

    monkeypatch.setattr(orphaned_runs, "orphans", listed)
    monkeypatch.setattr(orphaned_runs, "crash_orphans", crash)
    return state


def test_a_run_is_an_orphan_if_it_is_one_in_two_checks_in_a_row(server):
    watch = Watch()
    server.unfinished = ["a"]
    assert watch.check() == 0
    server.unfinished = ["b"]
    assert watch.check() == 0, "a has ended, or has its process by now"
    server.unfinished = ["b", "c"]
    assert watch.check() == 1
    assert server.crashed == ["b"]
    assert watch.check() == 1
    assert server.crashed == ["b", "c"]


def test_a_server_that_is_away_makes_nobody_a_suspect(server):
    watch = Watch()
    server.unfinished = ["a"]
    watch.check()
    server.away = True
    assert watch.check() == 0
    server.away = False
    assert watch.check() == 0
    assert server.crashed == []
    assert watch.check() == 1


def test_it_checks_in_a_thread_until_it_is_told_to_stop(server):
    server.unfinished, stop = ["a"], threading.Event()
    watch = Watch()
    checked = threading.Semaphore(0)
    check = watch.check

    def counted():
        found = check()
        checked.release()
        return found

    watch.check = counted
    watch.start(stop, seconds=0.001)
    for _ in range(2):
        assert checked.acquire(timeout=120)
    stop.set()
    assert server.crashed == ["a"]
