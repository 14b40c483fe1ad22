"""How a training begins and ends in the log of decisions, and what is done about one that was killed."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

import pytest

from churn.lifecycle import training_runs
from churn.lifecycle.actor import current_user
from churn.lifecycle.training_runs import clean_up_orphans, has_ended, record_end, record_skipped, record_start
from churn.store.records import Decision, DecisionAction, DecisionKind


class Log:
    """Decisions, newest first."""

    def __init__(self) -> None:
        self.written: list[Decision] = []

    def lock(self, name: str, holder: str, /, *, timeout_seconds: float) -> AbstractContextManager[object]:
        return nullcontext()

    def write_decision(self, decision: Decision, /) -> None:
        self.written.insert(0, decision)

    def decisions(self, *, kind: tuple[DecisionKind, ...], limit: int) -> list[Decision]:
        return [one for one in self.written if one.kind in kind][:limit]

    def last(self) -> tuple[str, str, str, str | None, dict[str, object]]:
        one = self.written[0]
        return one.kind, one.action, one.reason, one.model_version, one.evidence


class Registry:
    """Versions and the trainings that made them, and runs of MLflow by their training."""

    def __init__(self, *versions: tuple[str, str], **runs: str) -> None:
        self.made, self.runs, self.asked = versions, runs, False

    def versions(self) -> list[tuple[str, list[str], dict[str, str]]]:
        self.asked = True
        return [(version, [], {"training": training}) for version, training in self.made]

    def end_runs(self, trainings: set[str], /) -> list[str]:
        return [run for run, training in self.runs.items() if training in trainings]

    def champion_version(self) -> str:
        return "1"

    def previous_version(self) -> str:
        return "0"

    def rolled_back_version(self) -> None:
        return None


@pytest.fixture
def log() -> Log:
    return Log()


def clean_up(log: Log, registry: Registry) -> list[str]:
    return clean_up_orphans(log, registry)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trigger", "reason"), [("drift", "drift"), ("schedule", "schedule"), ("first model", "first model"), ("a whim", "manual")]
)
def test_begin_skip_and_end_name_trigger_and_who(log: Log, trigger: str, reason: str) -> None:
    facts = {"trigger": trigger, "reason": reason}
    who = f"{current_user()} (process {os.getpid()}), {trigger}"
    record_start(log, "t1", trigger, "d7")
    assert log.last() == ("training", "started", "a training began", None, {**facts, "training": "t1", "asked_by": "d7"})
    assert log.written[0].actor == who
    record_skipped(log, trigger, None, "one is running")
    assert log.last() == ("training", "skipped", "one is running", None, {**facts, "asked_by": None})
    assert log.written[0].actor == who
    record_end(log, "t1", trigger, DecisionAction.REJECTED, "it is worse", "3")
    assert log.last() == ("retrain", "rejected", "it is worse", "3", {**facts, "training": "t1"})
    assert log.written[0].actor == "train"


def test_a_training_has_ended_when_its_end_is_recorded(log: Log) -> None:
    record_start(log, "t1", "drift", None)
    assert not has_ended(log, "t1")
    record_end(log, "t2", "drift", DecisionAction.FAILED, "it broke")
    assert not has_ended(log, "t1")
    assert has_ended(log, "t2")
    for _ in range(training_runs.MAX_DECISIONS - 1):
        log.write_decision(Decision(DecisionKind.TRAINING, DecisionAction.SKIPPED, "", ""))
    assert has_ended(log, "t2"), "only ends are searched"


def killed(log: Log, training: str = "t1", *, trigger: str = "drift") -> None:
    record_start(log, training, trigger, None)
    begun = log.written.pop(0)
    fields = (begun.kind, begun.action, "ada@desk (process 7), drift", begun.reason, None, begun.evidence)
    log.write_decision(Decision(*fields, decided_at=datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)))


KILLED = "the training that ada@desk (process 7), drift began on 2026-03-01 12:30:05 UTC was killed"


def test_where_nothing_was_left_nothing_is_found_and_the_registry_is_not_searched(log: Log) -> None:
    registry = Registry(("1", "t1"))
    assert clean_up(log, registry) == []
    killed(log)
    record_end(log, "t1", "drift", DecisionAction.PROMOTED, "it is better", "1")
    before = list(log.written)
    assert clean_up(log, registry) == []
    assert (log.written, registry.asked) == (before, False)


def test_a_killed_training_is_recorded_as_failed_once(log: Log) -> None:
    killed(log)
    assert clean_up(log, Registry(("4", "of another"))) == [KILLED]
    facts = {"trigger": "drift", "reason": "drift", "training": "t1"}
    assert log.last() == ("retrain", "failed", KILLED, None, facts)
    assert clean_up(log, Registry()) == []


def test_its_run_is_marked_and_named_first(log: Log) -> None:
    killed(log)
    record_skipped(log, "drift", None, "one is running")
    said = clean_up(log, Registry(r1="t1", r2="of another"))
    assert said == ["run r1 had never ended, and is marked as killed", KILLED]


@pytest.mark.parametrize(
    ("decisions", "left"),
    [
        ([], "; version 2 stays without an alias (the gate's decision was not recorded)"),
        ([("gate", "rejected", "2")], "; version 2 stays without an alias (the gate decided: rejected)"),
        ([("gate", "rejected", "1")], "; version 2 stays without an alias (the gate's decision was not recorded)"),
        # The newest of two.
        (
            [("gate", "rejected", "2"), ("gate", "promoted", "2")],
            "; version 2 stays without an alias (the gate decided: promoted)",
        ),
        ([("promotion", "promoted", "2"), ("gate", "promoted", "2")], "; its version 2 had become champion"),
        ([("promotion", "promoted", "1")], "; version 2 stays without an alias (the gate's decision was not recorded)"),
    ],
)
def test_what_became_of_its_version_is_said(log: Log, decisions: list[tuple[str, str, str]], left: str) -> None:
    killed(log)
    for kind, action, version in decisions:
        log.write_decision(Decision(DecisionKind(kind), DecisionAction(action), "gate", "why", version))
    assert clean_up(log, Registry(("3", "of another"), ("2", "t1"))) == [KILLED + left]
    assert log.last()[:4] == ("retrain", "failed", KILLED + left, "2")


def test_several_are_cleaned_up_in_the_order_in_which_they_began(log: Log) -> None:
    killed(log, "t1", trigger="a whim")
    killed(log, "t2", trigger="schedule")
    assert len(clean_up(log, Registry())) == 2
    ends = [one.evidence for one in log.written if one.kind == DecisionKind.RETRAIN]
    assert ends == [
        {"trigger": "schedule", "reason": "schedule", "training": "t2"},
        {"trigger": "a whim", "reason": "manual", "training": "t1"},
    ]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (DecisionAction.FAILED, "the promotion of version 5 by ada never happened, and is recorded as failed"),
        (DecisionAction.PROMOTED, "the promotion of version 5 by ada had not been recorded: it is now"),
    ],
)
def test_promotions_that_broke_off_are_reconciled(
    log: Log, monkeypatch: pytest.MonkeyPatch, action: DecisionAction, said: str
) -> None:
    actors: list[str] = []

    def reconcile(_registry: Registry, _store: Log, *, actor: str) -> list[Decision]:
        actors.append(actor)
        return [Decision(DecisionKind.PROMOTION, action, "ada", "why", "5")]

    monkeypatch.setattr(training_runs, "reconcile", reconcile)
    killed(log)
    assert clean_up(log, Registry()) == [said, KILLED]
    assert actors == [f"{current_user()} (process {os.getpid()}), cleaning up"]
