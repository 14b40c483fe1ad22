"""The order in which the whole system comes up, with a supervisor that only notes what it is told; the real one: tests/e2e."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from churn.config.settings import Settings
from churn.errors import ChurnError, InputError
from pipelines.local import system
from pipelines.local.ports import free_port
from tests.unit.pipelines.loopback import Answer, web_server

PORTS = ("port", "mlflow_port", "prefect_port", "evidently_port", "exporter_port")
ALL = ["service", "prefect", "flows", "mlflow", "exporter", "evidently"]


class Noted(list[str]):
    """What happened, in order; stands in for a Supervisor."""

    promoted = True

    def __call__(self, programs: list[Any], _home: Path) -> Noted:
        self.programs = [program.name for program in programs]
        return self

    def __enter__(self) -> Noted:
        return self

    def __exit__(self, *_: object) -> None:
        self.append("stop")

    def launch(self, *names: str) -> None:
        self += [f"launch {name}" for name in names]

    def wait(self, *names: str, on_ready: Callable[[str], None] = lambda _name: None) -> None:
        for name in names:
            self.append(f"wait {name}")
            on_ready(name)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Noted]:
    made = Noted()
    monkeypatch.setattr(system, "Supervisor", made)
    monkeypatch.setattr(system, "_bring_data", lambda _settings: made.append("data"))

    def train(_trigger: str, *, wait: bool, warn: object) -> dict[str, Any]:
        assert wait
        made.append("train")
        return {"version": "1", "reason": "the first", "promoted": made.promoted}

    # The real one imports Prefect and scikit-learn, which takes seconds.
    monkeypatch.setitem(sys.modules, "pipelines.flows.train", SimpleNamespace(train_once=train))
    with mock.patch.dict(os.environ):
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", **{name: free_port() for name in PORTS})


def test_with_a_champion_nothing_waits_for_another_and_the_service_comes_first(
    noted: Noted, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "find_champion", lambda _settings: "7")
    with system.running(settings):
        launched = [f"launch {name}" for name in ALL]
        assert noted == [*launched[:2], "data", *launched[2:], *(f"wait {name}" for name in ALL)]
        # What its programs and commands beside it are told.
        assert os.environ["PREFECT_API_URL"] == f"http://127.0.0.1:{settings.prefect_port}/api"
        assert os.environ["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
        assert os.environ["CHURN_TRACKING_URI"] == f"http://127.0.0.1:{settings.mlflow_port}"
    assert set(noted.programs) == set(ALL)


@pytest.mark.parametrize("champion", ["7", None])
def test_a_system_that_nobody_looks_at_has_no_pages_of_its_own_and_all_that_closes_the_loop(
    noted: Noted, settings: Settings, monkeypatch: pytest.MonkeyPatch, champion: str | None
) -> None:
    monkeypatch.setattr(system, "find_champion", lambda _settings: champion)
    with system.running(settings, looked_at=False):
        pass
    needed = {"service", "prefect", "flows", "mlflow"}
    assert set(noted.programs) == needed
    for word in ("launch", "wait"):
        assert {step.removeprefix(f"{word} ") for step in noted if step.startswith(word)} == needed


def test_without_one_the_first_is_trained_and_the_flows_come_last(noted: Noted, settings: Settings) -> None:
    with system.running(settings):
        pass
    assert noted[:6] == ["launch prefect", "launch mlflow", "data", "wait prefect", "wait mlflow", "launch service"]
    trained = noted.index("train")
    assert noted[trained + 1] == "launch flows"
    launched = [word for word in noted if word.startswith("launch")]
    assert sorted(launched) == sorted(f"launch {name}" for name in ALL)
    assert {f"wait {name}" for name in ALL} <= set(noted[trained:])


def test_a_first_model_that_the_gate_refuses_stops_all_at_once_and_says_what_to_do(noted: Noted, settings: Settings) -> None:
    noted.promoted = False
    refused = pytest.raises(ChurnError, match=r"version 1, was not promoted: the first; .* churn model promote 1 --reason")
    with refused, system.running(settings):
        pytest.fail("no model answers")
    assert noted[-1] == "stop"
    assert not any(step.startswith("wait service") for step in noted)


def test_wrong_data_stop_what_has_started(noted: Noted, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_settings: Settings) -> None:
        raise InputError("row 7 breaks a rule")

    monkeypatch.setattr(system, "_bring_data", refuse)
    with pytest.raises(InputError, match="row 7"), system.running(settings):
        pass
    assert noted[-1] == "stop"
    assert "train" not in noted


def test_a_port_that_is_taken_is_named_before_anything_starts(noted: Noted, settings: Settings) -> None:
    with (
        web_server(lambda _asked: Answer()) as url,
        pytest.raises(InputError, match=r"CHURN_EXPORTER_PORT"),
        system.running(settings.model_copy(update={"exporter_port": int(url.rsplit(":", 1)[1])})),
    ):
        pass
    assert noted == []


def test_one_port_for_two_programs_is_refused(settings: Settings) -> None:
    with pytest.raises(InputError, match="one port for two programs"):
        system.check_ports(settings.model_copy(update={"exporter_port": settings.port}))


@pytest.mark.parametrize(
    ("status", "polled", "ready"),
    [("READY", 1, True), ("NOT_READY", 1, False), ("READY", None, False), ("READY", -60, False)],
)
def test_the_flows_are_ready_when_their_own_runner_has_asked_for_runs(status: str, polled: int | None, ready: bool) -> None:
    since = datetime.now(UTC)
    at = None if polled is None else (since + timedelta(seconds=polled)).isoformat()
    body = json.dumps({"status": status, "last_polled": at}).encode()
    with web_server(lambda _asked: Answer(body)) as url:
        assert system._deployed(Settings(prefect_port=int(url.rsplit(":", 1)[1])), since) is ready


def test_flows_without_a_prefect_server_are_not_ready() -> None:
    assert not system._deployed(Settings(prefect_port=1), datetime.now(UTC))
    with web_server(lambda _asked: Answer(b"<html>", status=502)) as url:
        assert not system._deployed(Settings(prefect_port=int(url.rsplit(":", 1)[1])), datetime.now(UTC))


def test_a_second_system_in_one_home_is_refused_before_anything_starts_and_may_follow_the_first(
    noted: Noted, settings: Settings
) -> None:
    other = settings.model_copy(update={name: free_port() for name in PORTS})
    with system.running(settings):
        began = len(noted)
        with (
            pytest.raises(InputError, match=rf"home: a churn runs here already \(process {os.getpid()}\)"),
            system.running(other),
        ):
            pytest.fail("it started")
        assert len(noted) == began
    with system.running(other):
        assert len(noted) > began


def test_a_home_that_cannot_be_made_is_named(noted: Noted, settings: Settings) -> None:
    settings.home.write_text("a file")
    with pytest.raises(InputError, match=r"home cannot be made \(File exists\): set CHURN_HOME"), system.running(settings):
        pytest.fail("it started")
    assert noted == []
