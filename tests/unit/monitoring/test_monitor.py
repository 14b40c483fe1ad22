from __future__ import annotations

from datetime import timedelta

import orjson

from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.monitor import look, record
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, launch, logged, make_settings

REFERENCE = customers(1500, seed=1)


def see(store, *, now=NOW, **settings):
    return look(store, CONTRACT, make_settings(**settings), "1", REFERENCE, now=now)


def test_a_calm_window_is_judged_and_recorded():
    store = FakeStore(logged(customers(200, 2)))
    seen = see(store)
    assert (seen.run.rows, seen.run.labelled_rows) == (200, 200)
    assert (seen.run.covariate_alarm, seen.run.concept_alarm, seen.decision.action) == (False, False, DecisionAction.NONE)
    assert (store.runs, store.written) == ([], [])
    assert record(store, seen)
    assert (store.runs, store.written) == ([seen.run], [seen.decision])


def test_the_run_carries_the_whole_evidence_as_json():
    seen = see(FakeStore(logged(launch(200, 2))))
    verdict = orjson.loads(orjson.dumps(seen.run.verdict))
    assert verdict["window"]["from"] == (NOW - timedelta(seconds=1000)).isoformat()
    assert verdict["window"]["rows"] == 200
    assert {result["feature"] for result in verdict["drift"]["results"]} == {*CONTRACT.feature_names, "churn_probability"}
    assert verdict["drift"]["p_value"] <= verdict["drift"]["alpha"]
    assert verdict["performance"]["window"]["rows"] == 200
    assert verdict["performance"]["reference"]["rows"] == 1500
    assert verdict["concept"]["alarm"] is True
    assert verdict["policy"] == {"action": "watch", "reason": seen.decision.reason, "wants_labels": False}
    assert seen.decision.evidence["run_id"] == seen.run.run_id
    assert "plan (values)" in seen.decision.evidence["drifted"]
    assert "calibration in the large" in seen.decision.evidence["violated"]
    assert (seen.decision.kind, seen.decision.actor, seen.decision.model_version) == (DecisionKind.POLICY, "monitor", "1")


def test_the_false_alarm_rate_is_shared_by_customers_outcomes_and_their_stream():
    seen = see(FakeStore(logged(customers(200, 2))), false_alarm_rate=0.02)
    assert seen.drift is not None
    assert seen.concept is not None
    assert seen.sequential is not None
    assert (seen.drift.alpha, seen.concept.alpha) == (0.01, 0.006)
    assert seen.sequential.false_alarm_rate == 5 * 0.004


def test_too_little_is_not_judged_and_not_recorded():
    store = FakeStore(logged(customers(12, 2)))
    seen = see(store)
    assert (seen.drift, seen.performance, seen.concept) == (None, None, None)
    assert seen.decision.action == DecisionAction.NONE
    assert "12 predictions of 50 needed, 12 outcomes of 20" in seen.decision.reason
    assert not record(store, seen)
    assert (store.runs, store.written) == ([], [])


def test_without_outcomes_only_drift_is_judged():
    seen = see(FakeStore(logged(customers(200, 2, plan_share=0.3), labelled=False)))
    assert (seen.run.covariate_alarm, seen.run.labelled_rows, seen.performance, seen.concept) == (True, 0, None, None)
    assert seen.decision.action == DecisionAction.WATCH


def test_probabilities_that_moved_count_as_covariate_alarm():
    frame = customers(200, 2)
    frame["churn_probability"] = 0.9
    seen = see(FakeStore(logged(frame, labelled=False)))
    assert seen.drift is not None
    assert not seen.drift.covariate_alarm
    assert seen.run.covariate_alarm


def test_the_second_violation_retrains_and_the_third_waits():
    store, actions = FakeStore(), []
    for n in range(3):
        store.log = logged(launch(200 * (n + 1), 2))
        seen = see(store, now=NOW + timedelta(seconds=n))
        assert record(store, seen)
        actions.append(seen.decision.action)
    assert actions == ["watch", "retrain", "watch"]


def test_a_look_killed_before_it_is_recorded_is_made_again():
    store = FakeStore(logged(customers(200, 2)))
    first, second = see(store), see(store)
    assert first.run.verdict == second.run.verdict
    assert record(store, second)


def test_of_two_looks_at_one_window_only_the_first_counts():
    store = FakeStore(logged(customers(200, 2)))
    first, second = see(store), see(store)
    assert (record(store, first), record(store, second)) == (True, False)
    assert (store.runs, store.written) == ([first.run], [first.decision])


def test_the_run_remembers_its_report():
    seen = see(FakeStore(logged(customers(200, 2))))
    assert seen.run.report is None
    assert seen.with_report("/reports/r.html").run.report == "/reports/r.html"


def test_the_moment_of_the_look_is_that_of_its_run_and_its_decision():
    seen = see(FakeStore(logged(customers(200, 2))), now=NOW + timedelta(hours=3))
    assert seen.run.started_at == seen.decision.decided_at == NOW + timedelta(hours=3)


def test_a_promotion_in_the_store_ends_the_wait_for_the_new_version():
    store = FakeStore()
    store.written = [
        Decision(
            DecisionKind.PROMOTION, DecisionAction.PROMOTED, "gate", "", model_version="1", decided_at=NOW - timedelta(seconds=5)
        ),
        Decision(
            DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "", model_version="0", decided_at=NOW - timedelta(seconds=10)
        ),
    ]
    actions = []
    for n in range(2):
        store.log = logged(launch(200 * (n + 1), 2))
        seen = see(store, now=NOW + timedelta(seconds=n))
        assert record(store, seen)
        actions.append(seen.decision.action)
    assert actions == ["watch", "retrain"]
