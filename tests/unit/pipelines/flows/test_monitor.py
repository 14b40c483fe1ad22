"""The monitoring flow's steps, in order: what is sent, recorded, drawn. (Under Prefect: tests/integration.)"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Failed

from churn.config.settings import Settings
from churn.contract import Contract
from churn.errors import ChurnError, NoModel, RegistryError, RegistryMismatch
from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.monitor import MonitoringRun, report_path
from monitoring.reference import Reference
from monitoring.run_result import RetrainDecision
from pipelines.flows import monitor
from tests.unit.monitoring.fakes import CONTRACT, FakeStore, customers, make_settings
from tests.unit.monitoring.results import make_result

CHAMPION: Any = monitor.Champion("1", "identity", "reference", None)  # type: ignore[arg-type]
TASKS = ("catch_up", "find_champion", "summarise_missed", "run_on_window", "conclude", "send_request", "summarise", "report")


def made_run(action: DecisionAction, *, empty: bool = False) -> MonitoringRun:
    result = make_result(action=action, policy=RetrainDecision(action, "so it is"))
    window: Any = SimpleNamespace(is_empty=empty, follows=None)
    return MonitoringRun(window, result, Decision(DecisionKind.POLICY, action, "monitor", "so it is", "1"))


class Flow:
    """The flow, with each of its steps replaced by one that notes its name."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        self.steps: list[str] = []
        self.run = made_run(DecisionAction.NONE)
        self.new, self.closed = True, 0
        self.pages_fail = False
        self.caught_up: list[Decision] = []
        self.asked: dict[str, tuple[Any, ...]] = {}
        self.registry = SimpleNamespace()
        self.known: list[Decision] = []
        self.store = SimpleNamespace(close=self._close, decisions=lambda **_asked: self.known)
        monkeypatch.setattr(monitor, "load_settings", lambda: settings)
        monkeypatch.setattr(monitor, "load_contract", lambda _name: CONTRACT)
        monkeypatch.setattr(monitor, "Registry", lambda _settings: self.registry)
        monkeypatch.setattr(monitor.Store, "open", lambda url: self.store if url == settings.store_url else None)
        monkeypatch.setattr(monitor, "get_run_logger", lambda: logging.getLogger("flow"))
        for name in TASKS:
            monkeypatch.setattr(monitor, name, self._step(name))

    def _close(self) -> None:
        self.closed += 1

    def _step(self, name: str) -> Callable[..., Any]:
        results: dict[str, Callable[[], Any]] = {
            "catch_up": lambda: self.caught_up,
            "find_champion": lambda: CHAMPION,
            "run_on_window": lambda: self.run,
            "conclude": lambda: self.new,
        }

        def step(*arguments: Any, return_state: bool = False) -> Any:
            self.steps.append(name)
            self.asked[name] = arguments
            if return_state:
                return SimpleNamespace(is_failed=lambda: self.pages_fail, message=f"{name} broke")
            return results.get(name, lambda: None)()

        return step

    def __call__(self, **parameters: bool) -> dict[str, Any]:
        return monitor.monitor_flow.fn(**parameters)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch, settings: Settings, caplog: pytest.LogCaptureFixture) -> Flow:
    caplog.set_level(logging.INFO, "flow")
    return Flow(monkeypatch, settings)


BEFORE = ["catch_up", "find_champion", "summarise_missed", "run_on_window"]


def test_a_calm_window_is_recorded_and_drawn_and_nobody_is_asked_for_anything(flow: Flow, settings: Settings) -> None:
    assert flow() == {"judged": True, "action": "none", "reason": "so it is", "run_id": "r1"}
    assert flow.steps == [*BEFORE, "conclude", "summarise", "report"]
    assert flow.closed == 1
    store, recorded = flow.asked["conclude"]
    assert store is flow.store
    assert recorded.result.report == str(report_path(settings, "r1"))
    assert flow.asked["find_champion"] == (flow.registry, CONTRACT, settings)
    assert flow.asked["run_on_window"] == (flow.store, CONTRACT, settings, CHAMPION)
    assert flow.asked["summarise_missed"] == (flow.store, "1", settings)
    assert flow.asked["report"] == (recorded, "reference", CONTRACT, settings)


@pytest.mark.parametrize("action", DecisionAction)
def test_only_a_retraining_and_a_page_are_asked_for_and_only_after_they_are_recorded(flow: Flow, action: DecisionAction) -> None:
    flow.run = made_run(action)
    flow()
    sent = ["send_request"] if action in ("retrain", "page") else []
    assert flow.steps == [*BEFORE, "conclude", *sent, "summarise", "report"]
    if sent:
        assert flow.asked["send_request"] == (flow.store, "churn", flow.run.decision)


def test_a_model_whose_number_is_another_ones_in_the_store_is_not_judged(flow: Flow) -> None:
    flow.known = [Decision(DecisionKind.GATE, DecisionAction.PASSED, "gate", "", "1", {"run_id": "another"})]
    with pytest.raises(RegistryMismatch, match="version 1 is run identity in the registry and run another in the store"):
        flow()
    assert (flow.steps, flow.closed) == (["catch_up", "find_champion"], 1)


def test_a_run_without_pictures_has_its_own_page_all_the_same(flow: Flow) -> None:
    assert flow(pictures=False)["judged"] is True
    assert flow.steps == [*BEFORE, "conclude", "summarise"]


def test_a_window_that_another_monitor_judged_is_left_to_it(flow: Flow) -> None:
    flow.run, flow.new = made_run(DecisionAction.RETRAIN), False
    assert flow()["judged"] is False
    assert flow.steps == [*BEFORE, "conclude"]


def test_an_empty_window_records_nothing(flow: Flow) -> None:
    flow.run = made_run(DecisionAction.NONE, empty=True)
    assert flow() == {"judged": False, "reason": "so it is"}
    assert flow.steps == BEFORE
    assert flow.closed == 1


def test_pages_that_fail_are_logged_and_the_decision_stands(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    flow.pages_fail = True
    assert flow()["judged"] is True
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"the run is recorded, but its pages could not be written: {name} broke" for name in ("summarise", "report")
    ]


def test_pages_that_are_written_are_not_warned_of(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    flow.caught_up = []
    flow()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_earlier_runs_asked_for_is_told(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    flow.caught_up = [made_run(DecisionAction.RETRAIN).decision]
    flow()
    assert "retrain was decided by an earlier run, and is asked for again: so it is" in caplog.text


def test_the_store_is_closed_whatever_happens(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(monitor, "run_on_window", broken)
    with pytest.raises(RuntimeError):
        flow()
    assert flow.closed == 1


@pytest.mark.parametrize("name", TASKS)
def test_results_are_never_taken_from_a_cache(name: str) -> None:
    assert getattr(monitor, name).cache_policy is monitor.NO_CACHE


@pytest.mark.parametrize("name", ["find_champion", "run_on_window", "conclude", "catch_up"])
def test_what_reads_or_writes_elsewhere_is_tried_three_times(name: str) -> None:
    task = getattr(monitor, name)
    assert (task.retries, task.retry_delay_seconds) == (2, 5)


def test_the_flow_notes_its_end_and_pages_for_a_failure() -> None:
    flow = monitor.monitor_flow
    assert flow.name == "monitor"
    assert flow.on_completion_hooks == [monitor.note_end]
    assert flow.on_failure_hooks == flow.on_crashed_hooks == [monitor.record_failure, monitor.note_end]
    assert flow.log_prints is True


class Registry:
    def __init__(self) -> None:
        self.read = 0

    def champion_version(self) -> str:
        return "3"

    def identity(self, version: str) -> str:
        return f"identity of {version}"

    def load(self, version: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(segments=None))

    def reference(self, version: str) -> Any:
        self.read += 1
        assert version == "3"
        frame = customers(300, 1)
        return frame.assign(served_probability=frame["churn_probability"])


def test_the_champions_reference_is_read_once_and_kept(settings: Settings) -> None:
    registry: Any = Registry()
    for _ in range(2):
        found = monitor.find_champion.fn(registry, CONTRACT, settings)
        assert (found.version, found.identity, found.segmenter) == ("3", "identity of 3", None)
        assert isinstance(found.reference, Reference)
    assert registry.read == 1
    assert any((settings.home / "summaries").iterdir())


@pytest.mark.parametrize("calibrates", [True, False])
def test_what_was_calibrated_on_the_way_is_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch, calibrates: bool) -> None:
    spread_at, saved = [], []

    @contextmanager
    def spread(address: str) -> Iterator[None]:
        spread_at.append(address)
        yield

    reference: Any = SimpleNamespace(profile=SimpleNamespace(cache={"known": 1}))

    def run_monitor(*arguments: Any, campaign: Any, segmenter: Any, gaps: Any) -> str:
        assert arguments == ("store", CONTRACT, settings, "3", reference)
        assert segmenter == "finds segments"
        assert campaign.customer_value == 200
        assert gaps == ["recall"]
        if calibrates:
            reference.profile.cache["new"] = 2
        return "the run"

    monkeypatch.setattr(monitor, "spread", spread)
    monkeypatch.setattr(monitor, "run_monitor", run_monitor)
    monkeypatch.setattr(monitor, "save_reference", lambda *arguments: saved.append(arguments))
    settings = settings.model_copy(update={"dask_scheduler": "tcp://here"})
    store: Any = "store"
    segmenter: Any = "finds segments"
    champion = monitor.Champion("3", "i", reference, segmenter)
    assert monitor.run_on_window.fn(store, CONTRACT, settings, champion) == "the run"
    assert spread_at == ["tcp://here"]
    assert saved == ([(settings.home / "summaries", "i", CONTRACT, reference)] if calibrates else [])


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def recorded(store: FakeStore, run_id: str, settings: Settings, *, report: str | None = None) -> None:
    page = str(report_path(settings, run_id)) if report is None else report
    store.runs.insert(0, make_result(run_id=run_id, report=page).to_record())


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], float]]:
    pages: list[tuple[str, list[str], float]] = []

    def render(result: Any, earlier: list[Any], *, false_alarm_rate: float) -> str:
        pages.append((result.run_id, [one.run_id for one in earlier], false_alarm_rate))
        return f"page of {result.run_id}"

    monkeypatch.setattr(monitor, "render_summary", render)
    return pages


def test_a_runs_page_shows_it_beside_the_earlier_ones(
    store: FakeStore, settings: Settings, drawn: list[tuple[str, list[str], float]]
) -> None:
    for name in ("r0", "r1"):
        recorded(store, name, settings)
    monitor.summarise.fn(store, made_run(DecisionAction.NONE), settings)  # type: ignore[arg-type]
    assert drawn == [("r1", ["r0"], settings.false_alarm_rate)]
    assert report_path(settings, "r1").read_text() == "page of r1"


@pytest.mark.parametrize("state", ["missed", "there", "another page", "no run"])
def test_only_a_page_that_was_missed_is_drawn_later(
    store: FakeStore, settings: Settings, drawn: list[tuple[str, list[str], float]], state: str
) -> None:
    if state != "no run":
        recorded(store, "r0", settings)
        recorded(store, "r2", settings, report="elsewhere.html" if state == "another page" else None)
    page = report_path(settings, "r2")
    if state == "there":
        page.parent.mkdir(parents=True)
        page.write_text("there")
    monitor.summarise_missed.fn(store, "1", settings)  # type: ignore[arg-type]
    assert drawn == ([("r2", ["r0"], settings.false_alarm_rate)] if state == "missed" else [])


def test_a_run_is_recorded_by_the_store(store: FakeStore) -> None:
    run = replace(made_run(DecisionAction.WATCH))
    assert monitor.conclude.fn(store, run) is True  # type: ignore[arg-type]
    assert monitor.conclude.fn(store, run) is False  # type: ignore[arg-type]
    assert store.written == [run.decision]


@pytest.mark.parametrize("taken", [True, False])
def test_what_nobody_took_up_is_sent_again_and_told_if_it_was(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(monitor, "decisions_to_send", lambda *arguments: ["d1", "d2"] if arguments[:2] == ("s", settings) else [])

    def send(*arguments: Any) -> bool:
        sent.append(arguments)
        return taken

    monkeypatch.setattr(monitor, "send_and_note", send)
    fake: Any = "s"
    assert monitor.catch_up.fn(fake, settings) == (["d1", "d2"] if taken else [])
    monitor.send_request.fn(fake, "churn", "d3")  # type: ignore[arg-type]
    assert sent == [("s", "churn", name) for name in ("d1", "d2", "d3")]


def test_evidently_draws_the_window_against_the_references_sample(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("monitoring.reports.evidently_report.write_report", lambda *arguments: drawn.append(arguments))
    reference: Any = SimpleNamespace(sample="sample")
    contract: Contract = CONTRACT
    run = made_run(DecisionAction.NONE)
    monitor.report.fn(run, reference, contract, settings)
    assert drawn == [(run, "sample", contract, settings)]


@pytest.mark.parametrize(("error", "again"), [(NoModel("none"), False), (RegistryError("away"), True)])
def test_a_registry_that_is_away_is_asked_again_and_one_without_a_champion_is_not(error: ChurnError, again: bool) -> None:
    assert monitor.find_champion.retry_condition_fn is monitor.may_pass
    # As Prefect asks it.
    assert monitor.may_pass(None, None, Failed(data=error)) is again
