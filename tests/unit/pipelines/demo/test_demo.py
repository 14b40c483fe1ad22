"""The demo's steps: each must be seen to happen, or the demo fails and says which. The real loop: tests/e2e."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from churn.clock import now
from churn.config.settings import Settings
from churn.data.dataset import Dataset
from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.run_result import RunResult
from pipelines.demo import demo
from pipelines.demo.demo import DemoFailed, Loop
from tests.unit.monitoring.results import make_result
from tests.unit.pipelines.demo.fakes import BOTH, CALM, CAST, CONCEPT, SHIFT, Client, Model, Registry, Store, people


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(demo.Store, "open", lambda _url: Store())
    monkeypatch.setattr(demo, "Registry", lambda _settings: Registry())
    monkeypatch.setattr(demo, "TIMEOUT_SECONDS", 0.0)
    contract: Any = None
    client: Any = Client()
    return Loop(Settings(), contract, client, CAST)


def monitored(loop: Any, *runs: RunResult) -> None:
    """Let the monitor find these, one after the other."""
    found = iter(runs)
    loop._monitor = lambda: next(found)


def took_over(loop: Any, *results: bool) -> list[Dataset]:
    answers, asked = iter(results), list[Dataset]()

    def retrain(customers: Dataset) -> bool:
        asked.append(customers)
        taken = next(answers)
        loop.client.version = "2" if taken else loop.client.version
        return taken

    loop._retrain = retrain
    return asked


def test_the_loop_goes_once_around(loop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    monitored(loop, CALM, CALM, CALM, SHIFT, BOTH, CALM, CALM, CALM)
    asked = took_over(loop, True)
    loop.close()
    assert loop.client.windows == ["ordinary 1", "ordinary 2", "ordinary 3", "launch 1", "after 1", "after 2", "after 3"]
    assert asked == [CAST.mixed[0]]
    # Each window's outcomes are told once.
    assert loop.client.reported == [20, 20, 20, 20, 22, 24, 26]
    assert [(result.name, result.version, result.without is None) for result in loop.results] == [
        *((f"ordinary {n}", "1", True) for n in (1, 2, 3)),
        ("launch 1", "1", True),
        *((f"after {n}", "2", False) for n in (1, 2, 3)),
    ]
    # What the first champion would have answered, at the threshold of the answers that were given.
    assert loop.results[-1].without.brier == pytest.approx((0.8**2 + 0.1**2) / 2)
    assert loop.results[-1].without.threshold == 0.5
    said = " ".join(capsys.readouterr().out.split())
    assert "launch 1: before any outcome: all is well" in said
    assert "36 customers with the plan that were not used so far: Brier 0.640 → 0.040, log loss 1.609 → 0.223" in said
    assert "gain 1.386 [1.386, 1.386]" in said


def test_a_challenger_that_is_turned_down_gets_another_window(loop: Any) -> None:
    monitored(loop, SHIFT, BOTH, BOTH, SHIFT)
    asked = took_over(loop, False, True)
    assert loop._until_taken_over(CAST.mixed) == CAST.mixed[2:]
    assert asked == CAST.mixed[:2]
    assert loop.client.windows == ["launch 1", "launch 2"]


def test_the_last_window_is_kept_for_the_model_that_takes_over(loop: Any) -> None:
    monitored(loop, SHIFT, BOTH, BOTH, BOTH)
    asked = took_over(loop, False, False, False)
    with pytest.raises(DemoFailed, match="no challenger passed the gate"):
        loop._until_taken_over(CAST.mixed)
    assert asked == CAST.mixed[:3]


def test_nothing_is_trained_where_the_policy_does_not_ask_for_it(loop: Any) -> None:
    monitored(loop, SHIFT, SHIFT, SHIFT, SHIFT)
    asked = took_over(loop)
    with pytest.raises(DemoFailed):
        loop._until_taken_over(CAST.mixed)
    assert asked == []


@pytest.mark.parametrize("run", [SHIFT, make_result(concept_alarm=True)])
def test_an_alarm_on_ordinary_traffic_fails_the_demo(loop: Any, run: RunResult) -> None:
    monitored(loop, run)
    with pytest.raises(DemoFailed, match="ordinary 2: the monitor alarmed on ordinary traffic: all is well"):
        loop._ordinary("ordinary 2", people())


def test_covariate_shift_must_be_seen_before_any_outcome(loop: Any) -> None:
    monitored(loop, CALM, BOTH)
    with pytest.raises(DemoFailed, match="launch 1: no alarm on covariate shift"):
        loop._launch("launch 1", people(), run_at_once=True)
    monitored(loop, CALM)
    with pytest.raises(DemoFailed, match="launch 2: no alarm"):
        loop._launch("launch 2", people(), run_at_once=False)


def test_outcomes_come_after_the_first_run_of_the_first_launch(loop: Any) -> None:
    order: list[str] = []
    loop._monitor = lambda: order.append(f"run after {len(loop.client.reported)}") or SHIFT
    loop._launch("launch 1", people(), run_at_once=True)
    loop._launch("launch 2", people(), run_at_once=False)
    assert order == ["run after 0", "run after 1", "run after 2"]


def test_outcomes_that_are_not_accepted_fail_the_demo(loop: Any) -> None:
    loop.client.accepted = 19
    with pytest.raises(DemoFailed, match="x: not every outcome was accepted"):
        loop._serve("x", people())
    assert len(loop._serve("x", people(), outcomes=False)) == 20


class Stream:
    """Stands for the traffic that goes on."""

    failed: list[str]
    failed, sent, versions = [], 7, {"2", "1"}

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def decision(action: DecisionAction = DecisionAction.PROMOTED, version: str = "2") -> Decision:
    return Decision(DecisionKind.RETRAIN, action, "gate", "lower log loss", version)


def noted(loop: Any, run: RunResult) -> None:
    loop.results = [SimpleNamespace(run=CALM), SimpleNamespace(run=run)]


@pytest.mark.parametrize(("action", "taken"), [(DecisionAction.PROMOTED, True), (DecisionAction.REJECTED, False)])
def test_a_retraining_ends_with_a_promotion_or_without(
    loop: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], action: DecisionAction, taken: bool
) -> None:
    monkeypatch.setattr(demo, "Stream", Stream)
    noted(loop, CONCEPT)
    awaited: list[str] = []
    loop._await_retraining = lambda: decision(action)
    loop._await_promotion = lambda version, _stream: awaited.append(version)
    assert loop._retrain(people()) is taken
    assert awaited == (["2"] if taken else [])
    said = capsys.readouterr().out
    assert f"retraining: {action}: lower log loss" in said
    assert "meanwhile 7 requests, none failed, answered by version 1 and 2" in said


def test_a_request_that_fails_meanwhile_fails_the_demo(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "Stream", type("Failing", (Stream,), {"failed": ["503", "502"]}))
    noted(loop, CONCEPT)
    loop._await_retraining = decision
    loop._await_promotion = lambda *_: None
    with pytest.raises(DemoFailed, match="2 of 7 requests failed meanwhile: 503"):
        loop._retrain(people())


def test_a_retraining_without_concept_drift_fails_the_demo(loop: Any) -> None:
    noted(loop, SHIFT)
    with pytest.raises(DemoFailed, match="without an alarm on concept drift"):
        loop._retrain(people())


@pytest.fixture
def deployment(loop: Any, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands for Prefect: runs the monitor's deployment, which may record a run."""
    world = SimpleNamespace(completed=True, recorded=None, asked=[])

    def run_deployment(name: str, **named: Any) -> Any:
        world.asked.append((name, named))
        loop.store.runs = [world.recorded] if world.recorded else []
        state = None if world.completed is None else SimpleNamespace(is_completed=lambda: world.completed)
        return SimpleNamespace(name="quick-fox", state=state)

    monkeypatch.setattr("prefect.deployments.run_deployment", run_deployment)
    return world


def test_the_monitor_is_run_in_the_deployment_that_the_schedule_uses(loop: Any, deployment: SimpleNamespace) -> None:
    result = make_result(started_at=now() + timedelta(minutes=1), report="page.html")
    deployment.recorded = result.to_record()
    assert loop._monitor().run_id == result.run_id
    assert loop.reports == ["page.html"]
    named = {"parameters": {"pictures": True}, "timeout": 0.0, "poll_interval": 0.5, "as_subflow": False}
    assert deployment.asked == [("monitor/run", named)]
    deployment.recorded = make_result(started_at=now() + timedelta(minutes=2)).to_record()
    loop._monitor()
    assert loop.reports == ["page.html"]


def test_the_short_demo_lets_evidently_draw_only_what_comes_after_the_promotion(loop: Any) -> None:
    runs, drawn = iter((CALM, CALM, CALM, SHIFT, BOTH, CALM, CALM, CALM)), list[bool]()

    def monitor() -> RunResult:
        drawn.append(loop.pictures)
        return next(runs)

    loop.pictures, loop._monitor = False, monitor
    took_over(loop, True)
    loop.close()
    assert drawn == [False] * 5 + [True] * 3


@pytest.mark.parametrize("completed", [False, None])
def test_a_run_of_the_monitor_that_does_not_complete_fails_the_demo(
    loop: Any, deployment: SimpleNamespace, completed: bool | None
) -> None:
    deployment.completed = completed
    deployment.recorded = make_result(started_at=now() + timedelta(minutes=1)).to_record()
    with pytest.raises(DemoFailed, match="the monitor's run quick-fox ended as"):
        loop._monitor()


@pytest.mark.parametrize("recorded", [None, make_result(started_at=now() - timedelta(minutes=1)).to_record()])
def test_a_run_that_recorded_nothing_new_fails_the_demo(loop: Any, deployment: SimpleNamespace, recorded: Any) -> None:
    deployment.recorded = recorded
    with pytest.raises(DemoFailed, match="quick-fox judged nothing"):
        loop._monitor()


def appears(loop: Any, monkeypatch: pytest.MonkeyPatch, *new: Decision) -> list[float]:
    """Let decisions be recorded while the demo sleeps; gives how long it slept."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            loop.store.told = [*new, *loop.store.told]

    monkeypatch.setattr(demo, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(demo.time, "sleep", sleep)
    return slept


def test_a_retraining_is_waited_for_and_an_older_one_is_not_taken_for_it(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.store.told, expected = [decision(version="1")], decision()
    slept = appears(loop, monkeypatch, expected)
    assert loop._await_retraining() is expected
    assert slept == [0.5] * 3


def test_a_retraining_that_fails_or_does_not_come_fails_the_demo(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DemoFailed, match="no retraining ended within 0 s"):
        loop._await_retraining()
    appears(loop, monkeypatch, decision(DecisionAction.FAILED))
    with pytest.raises(DemoFailed, match="the retraining failed: lower log loss"):
        loop._await_retraining()


def test_a_promotion_must_reach_the_service(loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream: Any = SimpleNamespace(versions={"1"})
    with pytest.raises(DemoFailed, match="version 2 is champion, but the service did not take it within 0 s"):
        loop._await_promotion("2", stream)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            stream.versions.add("2")

    monkeypatch.setattr(demo, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(demo.time, "sleep", sleep)
    loop._await_promotion("2", stream)
    assert slept == [0.1, 0.1]


def test_a_new_champion_that_is_not_clearly_better_fails_the_demo(loop: Any) -> None:
    loop.registry.models["champion"] = Model(0.2)
    with pytest.raises(DemoFailed, match="the new champion is not clearly better"):
        loop._compare("1", CAST.mixed)
    # Better on those without the plan only: they are not asked about.
    loop.registry.models["champion"] = Model(0.2, without=0.01)
    with pytest.raises(DemoFailed):
        loop._compare("1", CAST.mixed)
