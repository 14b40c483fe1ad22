from __future__ import annotations

from datetime import timedelta

from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.outbox import decisions_to_send, record_sent
from tests.unit.monitoring.fakes import NOW, make_settings

SETTINGS = make_settings(retrain_timeout_seconds=3600)
SECOND = timedelta(seconds=1)


def write(store, kind, action, seconds, **evidence):
    decision = Decision(kind, action, "x", "", "1", evidence, decided_at=NOW + seconds * SECOND)
    store.write_decision(decision)
    return decision


def names(store, seconds=0):
    return [decision.decision_id for decision in decisions_to_send(store, SETTINGS, NOW + seconds * SECOND)]


def test_what_was_decided_and_not_sent_is_unheard(store):
    retrain = write(store, "policy", "retrain", -20)
    write(store, "policy", "watch", -15)
    page = write(store, "policy", "page", -10)
    assert names(store) == [retrain.decision_id, page.decision_id]
    write(store, "event", "sent", -9, decision=page.decision_id)
    assert names(store) == [retrain.decision_id]


def test_what_was_sent_names_its_decision(store):
    retrain = write(store, "policy", "retrain", -20)
    record_sent(store, retrain)
    (sent,) = store.decisions(kind=DecisionKind.EVENT)
    assert (sent.action, sent.evidence, sent.model_version) == (DecisionAction.SENT, {"decision": retrain.decision_id}, "1")


def test_a_page_of_yesterday_wakes_nobody(store):
    write(store, "policy", "page", -90_000)
    assert names(store) == []


def test_a_retraining_is_heard_when_a_training_begins_that_names_it_or_any_since(store):
    first = write(store, "policy", "retrain", -20)
    write(store, "training", "started", -30, asked_by="another")
    assert names(store) == [first.decision_id]
    write(store, "training", "skipped", -25, asked_by=first.decision_id)
    assert names(store) == []
    second = write(store, "policy", "retrain", -10)
    assert names(store) == [second.decision_id]
    write(store, "retrain", "rejected", -5)
    assert names(store) == []


def test_what_was_sent_and_not_heard_is_sent_again_after_a_while(store):
    retrain = write(store, "policy", "retrain", -20)
    write(store, "event", "sent", -19, decision=retrain.decision_id)
    assert names(store) == []
    assert names(store, 42) == [retrain.decision_id]
    write(store, "event", "sent", 42, decision=retrain.decision_id)
    assert names(store, 43) == []
    assert names(store, 103) == [retrain.decision_id]


def test_nobody_asks_for_what_the_policy_has_given_up_or_decided_anew(store):
    write(store, "policy", "retrain", -3700)
    assert names(store) == []
    write(store, "policy", "retrain", -30)
    newest = write(store, "policy", "retrain", -10)
    assert names(store) == [newest.decision_id]


def test_a_decision_from_the_future_is_not_sent(store):
    write(store, "policy", "retrain", 86_400)
    assert names(store) == []
