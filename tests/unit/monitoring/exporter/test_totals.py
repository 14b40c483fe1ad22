"""What was counted over all time, from a real store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from churn.clock import now
from churn.store.contacts.records import Contact
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.exporter.totals import collect_totals
from tests.unit.churn.store.rows import monitor_run, outcome, prediction

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(store: Store) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[name] for name in sample.labels)): sample.value
        for metric in collect_totals(store)
        for sample in metric.samples
    }


def decide(store: Store, kind: DecisionKind, action: DecisionAction, at: datetime, reason: str = "") -> None:
    evidence = {"reason": reason} if reason else {}
    store.write_decision(Decision(kind, action, "test", "because", evidence=evidence, decided_at=at))


def test_outcomes_contacts_and_when_the_newest_came(store: Store) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    store.write_outcomes([outcome("p1")])
    contacts = [
        Contact(NOON + HOUR, customer_id=name, campaign=campaign)
        for name, campaign in (("c1", "may"), ("c2", "may"), ("c1", "june"))
    ]
    store.write_contacts(contacts)
    found = told(store)
    assert found["churn_outcomes_total",] == 1
    assert {key[1]: value for key, value in found.items() if key[0] == "churn_contacts_total"} == {"may": 2, "june": 1}
    assert found["churn_opt_outs",] == 0
    newest = store.last_prediction_at()
    assert newest is not None
    assert found["churn_predictions_last_timestamp_seconds",] == newest.timestamp()
    assert ("churn_outcomes_last_received_timestamp_seconds",) in found


def test_decisions_by_action_and_changes_of_the_champion_by_kind(store: Store) -> None:
    decide(store, DecisionKind.POLICY, DecisionAction.WATCH, NOON)
    decide(store, DecisionKind.POLICY, DecisionAction.WATCH, NOON + HOUR)
    decide(store, DecisionKind.POLICY, DecisionAction.NONE, NOON + 2 * HOUR)
    decide(store, DecisionKind.PROMOTION, DecisionAction.PROMOTED, NOON)
    decide(store, DecisionKind.PROMOTION, DecisionAction.PROMOTED, NOON + HOUR)
    found = told(store)
    policy = {key[1]: value for key, value in found.items() if key[0] == "churn_policy_decisions_total"}
    assert policy == {"none": 1, "watch": 2, "retrain": 0, "page": 0}
    action = {key[1]: value for key, value in found.items() if key[0] == "churn_policy_action"}
    assert action == {"none": 1, "watch": 0, "retrain": 0, "page": 0}
    assert (found["churn_promotions_total", "promotion"], found["churn_promotions_total", "rollback"]) == (2, 0)
    assert found["churn_promotion_timestamp_seconds", "promotion"] == (NOON + HOUR).timestamp()
    assert ("churn_promotion_timestamp_seconds", "rollback") not in found


def test_retrainings_by_what_triggered_them_and_how_they_ended(store: Store) -> None:
    for action, reason, hours in (
        ("promoted", "drift", 1),
        ("promoted", "drift", 3),
        ("rejected", "manual", 2),
        ("failed", "drift", 9),
    ):
        decide(store, DecisionKind.RETRAIN, DecisionAction(action), NOON + hours * HOUR, reason)
    found = told(store)
    retrains = {key[1:]: value for key, value in found.items() if key[0] == "churn_retrains_total"}
    assert retrains == {("drift", "promoted"): 2, ("manual", "rejected"): 1, ("drift", "failed"): 1}
    # A training that no flow counted is known all the same; one that failed is no success.
    assert found["churn_flow_last_success_timestamp_seconds", "train"] == (NOON + 3 * HOUR).timestamp()


def test_runs_of_the_flows_and_the_newest_success_of_two_sources(store: Store) -> None:
    store.write_monitor_run(monitor_run(started_at=NOON))
    store.write_flow_run("monitor", seconds=2.0, at=NOON - HOUR)
    store.write_flow_run("score", seconds=1.0, failure="away", at=NOON)
    found = told(store)
    assert found["churn_monitor_last_run_timestamp_seconds",] == NOON.timestamp()
    assert found["churn_flow_last_success_timestamp_seconds", "monitor"] == NOON.timestamp()
    assert ("churn_flow_last_success_timestamp_seconds", "score") not in found
    runs = {key[1:]: value for key, value in found.items() if key[0] == "churn_flow_runs_total"}
    assert runs == {("monitor", "succeeded"): 1, ("monitor", "failed"): 0, ("score", "succeeded"): 0, ("score", "failed"): 1}
    assert (found["churn_flow_last_failed", "monitor"], found["churn_flow_last_failed", "score"]) == (0, 1)
    assert found["churn_flow_last_run_timestamp_seconds", "monitor"] == (NOON - HOUR).timestamp()
    assert found["churn_flow_duration_seconds", "monitor"] == 2.0
    store.write_flow_run("monitor", seconds=2.0, at=NOON + HOUR)
    assert told(store)["churn_flow_last_success_timestamp_seconds", "monitor"] == (NOON + HOUR).timestamp()
    assert told(store)["churn_monitor_last_run_timestamp_seconds",] == (NOON + HOUR).timestamp()


@pytest.mark.parametrize("ahead", ["run", "flow"])
def test_a_success_that_a_wrong_clock_dated_ahead_does_not_hide_the_one_that_came(store: Store, ahead: str) -> None:
    present, future = now(), now() + timedelta(days=30)
    run, flow = (future, present) if ahead == "run" else (present, future)
    store.write_monitor_run(monitor_run(started_at=run))
    assert told(store)["churn_monitor_last_run_timestamp_seconds",] == run.timestamp()  # ChurnClockWrong sees it
    store.write_flow_run("monitor", seconds=2.0, at=flow)
    assert told(store)["churn_monitor_last_run_timestamp_seconds",] == present.timestamp()
    decide(store, DecisionKind.RETRAIN, DecisionAction.PROMOTED, run, "drift")
    store.write_flow_run("train", seconds=2.0, at=flow)
    assert told(store)["churn_flow_last_success_timestamp_seconds", "train"] == present.timestamp()
