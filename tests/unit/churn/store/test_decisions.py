"""Decisions are listed and counted."""

from __future__ import annotations

from datetime import timedelta

from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON


def test_decisions_come_back_newest_first_with_their_evidence(store: Store) -> None:
    evidence = {"rows": 300, "interval": [0.01, 0.02], "checks": {"calibrated": True}, "champion": None}
    first = Decision(DecisionKind.GATE, DecisionAction.PROMOTED, "gate", "better", "2", evidence, decided_at=NOON)
    later = Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=NOON + timedelta(hours=1))
    same_time = Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "drift", decided_at=NOON + timedelta(hours=1))
    for decision in (later, first, same_time):
        store.write_decision(decision)
    assert store.decisions() == [same_time, later, first]
    assert store.decisions(kind=DecisionKind.GATE) == [first]
    assert store.decisions(kind=(DecisionKind.GATE, DecisionKind.POLICY), limit=2) == [same_time, later]
    assert store.decisions(model_version="2") == [first]
    assert store.decisions(model_version="3") == []
    assert store.decisions(since=NOON + timedelta(minutes=1)) == [same_time, later]
    assert store.decisions(since=NOON) == [same_time, later, first]
    assert store.decisions(limit=1) == [same_time]


def test_decisions_are_counted_by_kind_action_and_what_triggered_them(store: Store) -> None:
    triggers = ("drift", "drift", "manual")
    for hour, trigger in enumerate(triggers):
        evidence, at = {"reason": trigger}, NOON + timedelta(hours=hour)
        store.write_decision(Decision(DecisionKind.RETRAIN, DecisionAction.REJECTED, "train", "r", None, evidence, decided_at=at))
    store.write_decision(Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=NOON))
    store.write_decision(Decision(DecisionKind.GATE, DecisionAction.REJECTED, "gate", "worse", decided_at=NOON))
    counts = store.count_decisions((DecisionKind.RETRAIN, DecisionKind.POLICY))
    assert {(one.kind, one.action, one.evidence_reason, one.count, one.newest_at) for one in counts} == {
        (DecisionKind.RETRAIN, DecisionAction.REJECTED, "drift", 2, NOON + timedelta(hours=1)),
        (DecisionKind.RETRAIN, DecisionAction.REJECTED, "manual", 1, NOON + timedelta(hours=2)),
        (DecisionKind.POLICY, DecisionAction.WATCH, "", 1, NOON),
    }
    assert all(isinstance(one.action, DecisionAction) for one in counts)
