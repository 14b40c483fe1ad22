"""The training flow as a whole: its steps, their order, what each is given, and how it ends."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.exceptions import CancelledRun

from churn.config.params import Params, TuningParams
from churn.config.settings import Settings
from churn.customers.pseudonym import Pseudonymiser
from churn.errors import Busy, ChurnError, ModelRefused, NoModel
from churn.store.records import DecisionAction
from pipelines.flows import train, train_failure

TASKS = (
    *("begin", "read_customers", "read_labelled_traffic", "tune_and_fit", "measure_curves", "load_champion", "judge"),
    *("register", "record_decision", "conclude"),
)


TRAFFIC = SimpleNamespace(rows="rows")


TRAINED = SimpleNamespace(tuned=SimpleNamespace(reduced=("so few", "so little")))


class Flow:
    """The training flow, with each of its steps replaced by one that notes its name and what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        self.settings = settings
        self.steps: list[str] = []
        self.given: dict[str, tuple[Any, ...]] = {}
        self.champion: Any = SimpleNamespace(info=SimpleNamespace(version="7"))
        self.promoted, self.cleared = True, list[str]()
        self.busy = False
        self.overrides: list[dict[str, Any]] = []
        self.locked: list[tuple[Any, ...]] = []

        def load(**overrides: Any) -> Settings:
            self.overrides.append(overrides)
            return settings

        monkeypatch.setattr(train, "load_settings", load)
        monkeypatch.setattr(train, "load_contract", lambda name: f"contract {name}")
        monkeypatch.setattr(train, "load_params", lambda path: SimpleNamespace(with_form=lambda form: f"params {path}, {form}"))
        monkeypatch.setattr(train, "Registry", lambda _settings: "registry")
        monkeypatch.setattr(train.Store, "open", lambda _url: self)
        monkeypatch.setattr(train, "get_run_logger", lambda: logging.getLogger("flow"))
        monkeypatch.setattr(train, "flow_run", SimpleNamespace(id="run-1"))
        monkeypatch.setattr(train, "assemble", lambda *given: self._note("assemble", given) or "set")
        monkeypatch.setattr(train, "record_skipped", lambda *given: self._note("record_skipped", given))
        results = {
            "begin": lambda: self.cleared,
            "read_customers": lambda: "customers",
            "read_labelled_traffic": lambda: TRAFFIC,
            "tune_and_fit": lambda: TRAINED,
            "measure_curves": lambda: "curves",
            "load_champion": lambda: self.champion,
            "judge": lambda: "decision",
            "register": lambda: "model",
            "record_decision": lambda: None,
            "conclude": lambda: {"version": "8", "promoted": self.promoted, "reason": "so"},
        }
        for name in TASKS:
            monkeypatch.setattr(train, name, lambda *given, name=name: self._note(name, given) or results[name]())
        monkeypatch.setattr(train, "publish_gate", lambda *given, promoted: self._note("publish_gate", (*given, promoted)))

    def _note(self, name: str, given: tuple[Any, ...]) -> None:
        self.steps.append(name)
        self.given[name] = given

    @contextmanager
    def lock(self, *what: Any, timeout_seconds: float, on_wait: Any) -> Iterator[Any]:
        self.locked.append((*what, timeout_seconds))
        if self.busy:
            raise Busy("training", "ada@desk")
        self.steps.append("lock")
        yield SimpleNamespace(confirm=lambda: self.steps.append("confirm"))
        self.steps.append("unlock")

    def close(self) -> None:
        self.steps.append("close")


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Flow:
    caplog.set_level(logging.INFO, "flow")
    settings = Settings(home=tmp_path, max_training_rows=123, dask_scheduler="tcp://x", model_name="named")
    return Flow(monkeypatch, settings)


def test_a_training_goes_step_by_step_and_confirms_its_lock_before_it_changes_anything(flow: Flow) -> None:
    flow.cleared = ["an orphan"]
    result = train.train_flow.fn("drift", asked_by="d1")
    assert result == {
        "version": "8",
        "promoted": True,
        "reason": "so",
        "cleared": ["an orphan"],
        "reduced": ["so few", "so little"],
    }
    assert flow.steps == [
        *(
            "lock",
            "begin",
            "read_customers",
            "read_labelled_traffic",
            "assemble",
            "tune_and_fit",
            "measure_curves",
            "load_champion",
            "judge",
        ),
        *("confirm", "register", "record_decision", "confirm", "conclude", "unlock", "close", "publish_gate"),
    ]
    assert flow.given["publish_gate"] == (flow.settings, "8", "decision", True)
    assert flow.overrides == [{}]
    assert flow.locked == [("training", train.trainer("drift"), 0.0)]
    contract, params = "contract telecom", "params params.yaml, None"
    assert flow.given["begin"] == (flow, "registry", "run-1", "drift", "d1")
    assert flow.given["read_labelled_traffic"] == (flow, contract, flow.settings)
    assert flow.given["assemble"] == ("customers", "rows", contract, params, Pseudonymiser(""))
    assert flow.given["tune_and_fit"] == ("set", contract, params, "named", "drift", "tcp://x")
    assert flow.given["judge"] == (TRAINED, flow.champion, "set", contract, params, TRAFFIC)
    assert flow.given["register"] == ("registry", TRAINED, "set", "decision", contract, params, "run-1", "curves")
    assert flow.given["measure_curves"] == (TRAINED, params, False, "tcp://x")
    assert flow.given["conclude"] == (flow, "registry", "model", "decision", "run-1", "7")


def test_curves_are_measured_if_asked(flow: Flow) -> None:
    train.train_flow.fn(curves=True)
    assert flow.given["measure_curves"][2] is True


def test_without_a_champion_there_is_none_to_replace(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    flow.champion, flow.promoted = None, False
    train.train_flow.fn()
    assert flow.given["conclude"][-1] is None
    assert "version 8 rejected: so" in caplog.text


def test_what_was_left_by_killed_trainings_is_told(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    flow.cleared = ["an orphan"]
    train.train_flow.fn(data="x.csv")
    assert "an orphan" in caplog.text
    assert "version 8 promoted: so" in caplog.text
    assert flow.overrides == [{"data": "x.csv"}]


def test_of_two_trainings_the_second_is_cancelled_and_noted(flow: Flow) -> None:
    flow.busy = True
    state = train.train_flow.fn("manual", asked_by="d2")
    assert state.is_cancelled()
    assert "ada@desk" in str(state.message)
    assert flow.steps == ["record_skipped", "close"]
    assert flow.given["record_skipped"] == (flow, "manual", "d2", state.message)


def test_a_training_that_is_to_wait_waits_for_as_long_as_it_takes(flow: Flow) -> None:
    train.train_flow.fn("manual", wait=True)
    assert flow.locked[0][-1] == float("inf")


def test_a_run_without_an_id_of_prefects_has_one_of_its_own(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "flow_run", SimpleNamespace(id=None))
    train.train_flow.fn()
    assert len(flow.given["begin"][2]) == 36


@pytest.mark.parametrize("name", TASKS)
def test_results_are_never_taken_from_a_cache_and_what_asks_others_is_tried_again(name: str) -> None:
    task = getattr(train, name)
    assert task.cache_policy is train.NO_CACHE
    retries = {"read_customers": 0, "tune_and_fit": 0, "measure_curves": 0, "judge": 0, "read_labelled_traffic": 3}.get(name, 2)
    assert (task.retries, task.retry_delay_seconds) == (retries, 5 if retries else 0)


def test_the_flow_notes_how_it_ended() -> None:
    flow = train.train_flow
    assert (flow.name, flow.log_prints) == ("train", True)
    assert flow.on_completion_hooks == [train.note_end]
    assert flow.on_failure_hooks == flow.on_crashed_hooks == [train.record_failure, train.note_end]
    defaults = {name: one.default for name, one in inspect.signature(flow.fn).parameters.items()}
    assert defaults == {"trigger": "manual", "data": None, "asked_by": None, "wait": False, "curves": False, "form": None}


class Champions:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def champion_version(self) -> str:
        if isinstance(self.error, NoModel):
            raise self.error
        return "3"

    def load_judged(self, version: str) -> str:
        if self.error:
            raise self.error
        return f"model {version}"


def test_the_champion_is_loaded_if_there_is_one_and_a_spoiled_one_stops_the_training() -> None:
    load: Any = train.load_champion.fn
    assert load(Champions()) == "model 3"
    assert load(Champions(NoModel("none"))) is None
    with pytest.raises(ModelRefused, match="no challenger can be compared with the champion: its hash differs; make another"):
        load(Champions(ModelRefused("its hash differs")))


def test_progress_is_told_once_a_candidate_and_not_from_a_cluster(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flow")
    asked: list[Any] = []

    @contextmanager
    def spread(address: str) -> Iterator[None]:
        asked.append(address)
        yield

    def fit(*given: Any, on_score: Any, **named: Any) -> Any:
        asked.append((given, named, on_score is None))
        for scores in range(1, 7):
            if on_score:
                on_score(scores)
        return TRAINED

    monkeypatch.setattr(train, "spread", spread)
    monkeypatch.setattr(train, "train", fit)
    monkeypatch.setattr(train, "add_segments", lambda trained, *given: (trained, *given))
    monkeypatch.setattr(train, "git_commit", lambda: "abc")
    monkeypatch.setattr(train, "get_run_logger", lambda: logging.getLogger("flow"))
    monkeypatch.setattr(train, "expected_scores", lambda *_: 30)
    monkeypatch.setattr(train, "pretraining_customers", lambda *_: "others")
    params = Params(tuning=TuningParams(folds=3))
    tune: Any = train.tune_and_fit.fn
    training_set = SimpleNamespace(holdout="held out")
    assert tune(training_set, "contract", params, "named", "drift") == (TRAINED, "held out", "contract", params)
    assert [record.getMessage() for record in caplog.records] == [
        "tuning: 3 of 30 fits scored",
        "tuning: 6 of 30 fits scored",
        "left out of the search: so few; so little",
    ]
    monkeypatch.setattr(TRAINED.tuned, "reduced", ())
    tune(training_set, "contract", params, "named", "drift", "tcp://x")
    named = {"name": "named", "trigger": "drift", "git_commit": "abc", "pretraining": "others"}
    assert asked == [
        "",
        ((training_set, "contract", params), named, False),
        "tcp://x",
        ((training_set, "contract", params), named, True),
    ]


@pytest.mark.parametrize(
    ("parameters", "message", "expected"),
    [
        ({"trigger": "drift"}, "no data", ("drift", "no data")),
        (None, None, ("manual", "Crashed")),
        ({}, "", ("manual", "Crashed")),
    ],
)
def test_a_training_that_did_not_finish_is_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parameters: Any, message: str | None, expected: tuple[str, str]
) -> None:
    store, told = SimpleNamespace(close=lambda: told.append("closed")), list[Any]()
    monkeypatch.setattr(train_failure, "load_settings", lambda: Settings(home=tmp_path))
    monkeypatch.setattr(train_failure.Store, "open", lambda _url: store)
    monkeypatch.setattr(train_failure, "has_ended", lambda _store, training: training == "r2")
    monkeypatch.setattr(train_failure, "record_end", lambda *given: told.append(given))
    crashed = SimpleNamespace(message=message, name="Crashed")
    train_failure.record_failure(None, SimpleNamespace(id="r1", parameters=parameters), crashed)
    assert told == [(store, "r1", expected[0], DecisionAction.FAILED, expected[1]), "closed"]
    # Prefect believes that it crashed, but it came to its end and could not say so.
    told.clear()
    train_failure.record_failure(None, SimpleNamespace(id="r2", parameters=parameters), crashed)
    assert told == ["closed"]


def test_one_training_by_hand_is_the_flow_or_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(train, "run_here", lambda _flow, _warn, **named: asked.append(named) or {"version": "1"})
    assert train.train_once("manual") == {"version": "1"}
    train.train_once("manual", data=Path("x.csv"), wait=True, form="deep")
    assert asked == [
        {"trigger": "manual", "data": None},
        {"trigger": "manual", "data": "x.csv", "wait": True, "form": "deep"},
    ]

    def cancelled(*_: Any, **__: Any) -> None:
        raise CancelledRun("training is under way: ada")

    monkeypatch.setattr(train, "run_here", cancelled)
    with pytest.raises(ChurnError, match="under way: ada"):
        train.train_once("manual")


def test_the_commit_is_a_note_and_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert train.git_commit() == ""
    git = tmp_path / "git"
    git.write_text('#!/bin/sh\n[ "$*" = "rev-parse HEAD" ] && echo abc123\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert train.git_commit() == "abc123"
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert train.git_commit() == ""
