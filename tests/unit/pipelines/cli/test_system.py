"""The commands that run parts of the system: with which settings, in which order, and what they print."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from churn.config.settings import Settings
from pipelines.cli import system
from tests.unit.pipelines.cli.command import Churn

Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]
Part = Callable[..., Calls]


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Part:
    """Stands for what a command starts: notes how it was called."""

    def named(module: str, name: str = "run") -> Calls:
        calls: Calls = []
        made = ModuleType(module)
        setattr(made, name, lambda *arguments, **named: calls.append((arguments, named)))
        # Not imported at all: Prefect and the server take a second each.
        monkeypatch.setitem(sys.modules, module, made)
        return calls

    return named


def settings_of(calls: Calls) -> Settings:
    ((arguments, _),) = calls
    assert isinstance(arguments[0], Settings)
    return arguments[0]


def test_up_runs_with_the_settings(churn: Churn, part: Part) -> None:
    calls = part("pipelines.local.up")
    os.environ["CHURN_PORT"] = "8123"
    assert churn("up").code == 0
    assert settings_of(calls).port == 8123


@pytest.mark.parametrize(
    ("options", "out", "named"),
    [
        ((), "build/demo", {"keep": False, "short": False}),
        (("--out", "x", "--keep"), "x", {"keep": True, "short": False}),
        (("--short",), "build/demo", {"keep": False, "short": True}),
    ],
)
def test_the_demo_is_told_where_and_how_long(
    churn: Churn, part: Part, options: tuple[str, ...], out: str, named: dict[str, bool]
) -> None:
    calls = part("pipelines.demo.demo")
    assert churn("demo", *options).code == 0
    settings = settings_of(calls)
    assert calls == [((settings, Path(out)), named)]
    assert settings.home.name == "home"


def test_serve_prepares_the_environment_and_has_one_worker_unless_told(churn: Churn, part: Part) -> None:
    calls = part("service.server.run")
    assert churn("serve").code == 0
    assert churn("serve", "--workers", "3").code == 0
    assert [arguments[1] for arguments, _ in calls] == [1, 3]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert Path("home/prefect").is_dir()


class Flow:
    """Stands for the monitoring flow: gives a result, and notes the environment that it found."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any]) -> None:
        self.result, self.found = result, list[dict[str, str]]()
        made = ModuleType("pipelines.flows.monitor")
        made.monitor_once = self  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pipelines.flows.monitor", made)
        monkeypatch.setattr(system, "use_local_prefect", lambda settings: os.environ.update(SEEN=settings.home.name))

    def __call__(self, _warn: object) -> dict[str, Any]:
        self.found.append(dict(os.environ))
        return self.result


def test_one_monitoring_run_says_what_was_decided_and_serves_no_metrics(
    churn: Churn, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = part("monitoring.exporter.exporter", "serve_exporter")
    flow = Flow(monkeypatch, {"judged": True, "action": "watch", "reason": "the window is small"})
    said = churn("monitor", "--once")
    assert (said.code, said.out, said.err) == (0, "watch: the window is small\n", "")
    assert churn("monitor", "--once", "--json").json == flow.result
    assert served == []
    (first, _) = flow.found
    # Before Prefect is imported: its log stays off the terminal, its server is that of `churn up`, its home inside ours.
    assert (first["PREFECT_LOGGING_LEVEL"], first["SEEN"]) == ("CRITICAL", "home")
    assert first["PREFECT_HOME"].endswith("home/prefect")
    assert first["DO_NOT_TRACK"] == "true"


def test_a_run_that_judged_nothing_is_waiting(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    Flow(monkeypatch, {"judged": False, "reason": "no predictions yet"})
    assert churn("monitor", "--once").out == "waiting: no predictions yet\n"


def test_the_monitor_runs_again_and_again_and_serves_its_metrics(
    churn: Churn, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = part("monitoring.exporter.exporter", "serve_exporter")
    flow = Flow(monkeypatch, {"action": "none", "reason": "calm"})
    waits: list[float] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout != 77:
                return super().wait(timeout)  # a thread's own
            waits.append(timeout)
            return len(waits) == 3

    monkeypatch.setattr(threading, "Event", Event)
    os.environ["CHURN_MONITOR_INTERVAL_SECONDS"] = "77"
    assert churn("monitor").out == "none: calm\n" * 3
    assert len(flow.found) == 3
    assert waits == [77, 77, 77]
    ((arguments, named),) = served
    assert arguments[0].home.name == "home"
    assert isinstance(named["stop"], Event)


def test_the_metrics_thread_does_not_keep_the_monitor_from_ending(churn: Churn, monkeypatch: pytest.MonkeyPatch) -> None:
    Flow(monkeypatch, {"action": "none", "reason": "calm"})
    made: list[dict[str, Any]] = []

    class Thread:
        def __init__(self, **named: Any) -> None:
            made.append(named)

        def start(self) -> None:
            raise SystemExit(7)

    monkeypatch.setattr(threading, "Thread", Thread)
    assert churn("monitor").code == 7
    assert made[0]["daemon"] is True


def test_the_exporter_serves_until_it_is_killed(churn: Churn, part: Part) -> None:
    calls = part("monitoring.exporter.exporter", "serve_exporter")
    os.environ["CHURN_EXPORTER_PORT"] = "8191"
    assert churn("exporter").code == 0
    assert settings_of(calls).exporter_port == 8191
    assert calls[0][1] == {"stop": None}


def test_the_flows_are_served_in_a_prepared_environment(churn: Churn, part: Part) -> None:
    calls = part("pipelines.flows.deployments", "main")
    assert churn("flows").code == 0
    assert calls == [((), {})]
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
