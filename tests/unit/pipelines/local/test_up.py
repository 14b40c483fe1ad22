"""What `churn up` says while everything runs."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from churn.errors import ChurnError
from pipelines.local import up


class FakeSupervisor:
    """Programs whose states are read one after the other; asks to stop after the last."""

    def __init__(self, *states: dict[str, str], alive: bool = True) -> None:
        self._states, self._alive = list(states), alive
        self.stop = threading.Event()
        self.launched: list[str] = []
        self.home = Path.cwd()

    def launch(self, name: str) -> None:
        self.launched.append(name)

    def alive(self) -> bool:
        return self._alive

    def states(self) -> dict[str, str]:
        if len(self._states) == 1:
            self.stop.set()
        return self._states.pop(0)

    def log(self, name: str) -> Path:
        return Path(f"{name}.log")


def told(supervisor: FakeSupervisor, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(up, "warn", said.append)
    monkeypatch.setattr(supervisor.stop, "wait", lambda _seconds: supervisor.stop.is_set())
    up._stay(supervisor, supervisor.stop)  # type: ignore[arg-type]
    return said


def test_a_program_that_ends_and_one_that_runs_again_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calm, gone, back = {"a": "RUNNING", "b": "RUNNING"}, {"a": "BACKOFF", "b": "RUNNING"}, {"a": "STARTING", "b": "RUNNING"}
    assert told(FakeSupervisor(calm, calm, gone, gone, back, calm, calm), monkeypatch) == [
        "a is backoff; see a.log",
        "a had ended and runs again; see a.log",
    ]


@pytest.mark.parametrize("state", ["BACKOFF", "FATAL", "EXITED"])
def test_each_way_to_end_is_told(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(FakeSupervisor({"a": "RUNNING"}, {"a": state}), monkeypatch) == [f"a is {state.lower()}; see a.log"]


def test_without_supervisord_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ChurnError, match="nothing runs any more"):
        told(FakeSupervisor({}, alive=False), monkeypatch)


def test_what_was_given_up_is_started_again_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = up.RETRY_SECONDS // up.LOOK_SECONDS
    supervisor = FakeSupervisor(*[{"a": "FATAL", "b": "RUNNING"}] * (2 * looks + 1))
    assert told(supervisor, monkeypatch) == []
    assert supervisor.launched == ["a", "a"]


def test_a_full_disk_is_told_each_time_that_it_gets_full(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([2**30, 0, 100, 2**30, 4096])
    monkeypatch.setattr("pipelines.local.up.shutil.disk_usage", lambda _home: SimpleNamespace(free=next(free)))
    said = told(FakeSupervisor(*[{"a": "RUNNING"}] * 5), monkeypatch)
    assert [line.split(": ")[1] for line in said] == ["make room, and what stopped goes on"] * 2
