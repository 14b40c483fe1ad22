from __future__ import annotations

import threading
from types import SimpleNamespace

import httpx
import pytest

from pipelines.flows import deployments, orphaned_runs
from pipelines.flows.deployments import is_away, note_crash
from pipelines.flows.orphaned_runs import Watch


@pytest.fixture
def world(monkeypatch):
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


def test_a_run_is_an_orphan_if_it_is_one_at_two_looks_in_a_row(world):
    watch = Watch()
    world.unfinished = ["a"]
    assert watch.look() == 0
    world.unfinished = ["b"]
    assert watch.look() == 0, "a has ended, or has its process by now"
    world.unfinished = ["b", "c"]
    assert watch.look() == 1
    assert world.crashed == ["b"]
    assert watch.look() == 1
    assert world.crashed == ["b", "c"]


def test_a_server_that_is_away_makes_nobody_a_suspect(world):
    watch = Watch()
    world.unfinished = ["a"]
    watch.look()
    world.away = True
    assert watch.look() == 0
    world.away = False
    assert watch.look() == 0
    assert world.crashed == []
    assert watch.look() == 1


def test_it_looks_in_a_thread_until_it_is_told_to_stop(world):
    world.unfinished, stop = ["a"], threading.Event()
    watch = Watch()
    looked = threading.Semaphore(0)
    look = watch.look

    def counted():
        found = look()
        looked.release()
        return found

    watch.look = counted
    watch.start(stop, seconds=0.001)
    for _ in range(2):
        assert looked.acquire(timeout=30)
    stop.set()
    assert world.crashed == ["a"]


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (httpx.ConnectError("refused"), True),
        (ConnectionRefusedError(), True),
        (BaseExceptionGroup("many", [ExceptionGroup("more", [RuntimeError("Service exceeded error threshold.")])]), True),
        (RuntimeError("Failed to reach API at http://127.0.0.1:4200/api"), True),
        (RuntimeError("dictionary changed size during iteration"), False),
        (BaseExceptionGroup("many", [httpx.ConnectError("refused"), ValueError("a bug")]), False),
        (BaseExceptionGroup("many", [KeyboardInterrupt()]), False),
    ],
)
def test_only_a_server_that_does_not_answer_is_waited_for(error, away):
    assert is_away(error) is away


def test_the_flows_wait_for_the_server_and_say_so_once(monkeypatch, tmp_path):
    monkeypatch.setenv("CHURN_HOME", str(tmp_path))
    said, tries = [], []

    def serve(settings):
        tries.append(settings)
        if len(tries) < 4:
            raise httpx.ConnectError("refused")

    monkeypatch.setattr(deployments, "serve_once", serve)
    monkeypatch.setattr(deployments, "prepare_environment", lambda _settings: None)
    monkeypatch.setattr(deployments, "warn", said.append)
    monkeypatch.setattr(deployments, "WAIT_SECONDS", 0.0)
    deployments.main()
    assert len(tries) == 4
    assert said == ["Prefect's server does not answer; the flows wait for it"]


def test_the_end_of_a_killed_training_is_written_down_and_a_look_is_not(monkeypatch):
    told = []
    monkeypatch.setattr(deployments, "record_failure", lambda _flow, run, _state: told.append(run.id))
    note_crash(SimpleNamespace(id="train", parameters={"trigger": "drift", "asked_by": "d"}))
    note_crash(SimpleNamespace(id="look", parameters={}))
    assert told == ["train"]
