from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import orjson

from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference
from monitoring.run_result import RetrainDecision, RunResult
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, launch, logged, make_settings

ROWS = customers(1500, seed=1)
# Summarised once for many runs, as the flow does.
REFERENCE = Reference.of(ROWS, CONTRACT)


def run_once(store, *, now=NOW, **settings):
    return run_monitor(store, CONTRACT, make_settings(**settings), "1", REFERENCE, now=now)


def test_a_calm_window_is_judged_and_recorded():
    store = FakeStore(logged(customers(200, 2)))
    run = run_once(store)
    assert (run.result.rows, run.result.labelled_rows) == (200, 200)
    assert (run.result.covariate_alarm, run.result.concept_alarm, run.decision.action) == (False, False, "none")
    assert (store.runs, store.written) == ([], [])
    assert record_run(store, run)
    assert (store.runs, store.written) == ([run.result.to_record()], [run.decision])


def test_the_rows_of_a_reference_give_what_its_summary_gives():
    store = FakeStore(logged(launch(200, 2)))
    of_rows = run_monitor(store, CONTRACT, make_settings(), "1", ROWS, now=NOW).result
    of_summary = run_once(store).result
    assert of_rows.covariate_alarm
    assert (of_rows.drift, of_rows.concept, of_rows.sequential) == (of_summary.drift, of_summary.concept, of_summary.sequential)


def test_the_run_carries_the_whole_evidence_as_json():
    run = run_once(FakeStore(logged(launch(200, 2))))
    result = RunResult.from_record(replace(run.result.to_record(), result=orjson.loads(orjson.dumps(run.result.to_dict()))))
    assert result == run.result
    assert result.window.first_requested_at == NOW - timedelta(seconds=1000)
    assert result.window.rows == 200
    assert {found.feature for found in result.drift.results} == {*CONTRACT.feature_names, "churn_probability"}
    assert result.drift.p_value <= result.drift.alpha
    assert result.performance.realized.rows == 200
    assert result.performance.reference.rows == 1500
    assert result.concept.alarm
    assert result.policy == RetrainDecision(DecisionAction.RETRAIN, run.decision.reason)
    assert run.decision.evidence["run_id"] == run.result.run_id
    assert "plan (values)" in run.decision.evidence["drifted"]
    assert "calibration in the large" in run.decision.evidence["violated"]
    assert (run.decision.kind, run.decision.actor, run.decision.model_version) == (DecisionKind.POLICY, "monitor", "1")


def test_the_false_alarm_rate_is_shared_by_customers_outcomes_and_their_stream():
    run = run_once(FakeStore(logged(customers(200, 2))), false_alarm_rate=0.02)
    assert run.result.drift is not None
    assert run.result.concept is not None
    assert run.result.sequential is not None
    assert (run.result.drift.alpha, run.result.concept.alpha) == (0.01, 0.006)
    assert run.result.sequential.false_alarm_rate == 5 * 0.004


def test_too_little_is_not_judged_and_not_recorded():
    store = FakeStore(logged(customers(12, 4)))
    run = run_once(store)
    assert (run.result.drift, run.result.performance.realized, run.result.concept) == (None, None, None)
    assert run.decision.action == DecisionAction.NONE
    assert "12 predictions of 50 needed, 12 outcomes of 20" in run.decision.reason
    assert not record_run(store, run)
    assert (store.runs, store.written) == ([], [])


def test_without_outcomes_only_drift_is_judged():
    run = run_once(FakeStore(logged(customers(200, 2, plan_share=0.3), labelled=False)))
    assert (run.result.covariate_alarm, run.result.labelled_rows, run.result.performance.realized, run.result.concept) == (
        True,
        0,
        None,
        None,
    )
    assert run.decision.action == DecisionAction.WATCH


def test_probabilities_that_moved_count_as_covariate_alarm():
    frame = customers(200, 2)
    frame["churn_probability"] = 0.9
    run = run_once(FakeStore(logged(frame, labelled=False)))
    assert run.result.drift is not None
    assert not run.result.drift.covariate_alarm
    assert run.result.covariate_alarm


def test_a_clear_violation_retrains_and_those_after_it_wait():
    store, actions = FakeStore(), []
    for n in range(3):
        store.log = logged(launch(200 * (n + 1), 2))
        run = run_once(store, now=NOW + timedelta(seconds=n))
        assert record_run(store, run)
        actions.append(run.decision.action)
    assert actions == [DecisionAction.RETRAIN, DecisionAction.WATCH, DecisionAction.WATCH]


def test_a_run_killed_before_it_is_recorded_is_repeated():
    store = FakeStore(logged(customers(200, 2)))
    first, second = run_once(store), run_once(store)
    assert first.result == replace(second.result, run_id=first.result.run_id)
    assert record_run(store, second)


def test_of_two_runs_on_one_window_only_the_first_counts():
    store = FakeStore(logged(customers(200, 2)))
    first, second = run_once(store), run_once(store)
    assert (record_run(store, first), record_run(store, second)) == (True, False)
    assert (store.runs, store.written) == ([first.result.to_record()], [first.decision])


def test_the_run_remembers_its_report():
    run = run_once(FakeStore(logged(customers(200, 2))))
    assert run.result.report is None
    assert run.with_report("/reports/r.html").result.report == "/reports/r.html"


def test_the_moment_of_the_run_is_that_of_its_result_and_its_decision():
    run = run_once(FakeStore(logged(customers(200, 2))), now=NOW + timedelta(hours=3))
    assert run.result.started_at == run.decision.decided_at == NOW + timedelta(hours=3)


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
    store.log = logged(launch(200, 2))
    assert run_once(store).decision.action == DecisionAction.RETRAIN
    store.written.pop(0)
    assert run_once(store).decision.action == DecisionAction.WATCH
