"""The monitor on a real store, SQLite and PostgreSQL, rows written in the order of life."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace

import pytest

from churn.store.records import DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.monitor import record_run, run_monitor
from monitoring.run_result import RunResult
from tests.unit.monitoring.fakes import CONTRACT, come_true, customers, launch, make_settings, serve

REFERENCE = customers(1500, seed=1)


@pytest.fixture
def store(request, tmp_path):
    with ExitStack() as stack:
        if getattr(request, "param", "sqlite") == "sqlite":
            url = f"sqlite:///{tmp_path / 'store.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        opened = Store.open(url)
        stack.callback(opened.close)
        yield opened


# What the database has a say in; drift is the same wherever its rows come from, and takes its time.
both = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


def run_once(store: Store, version: str = "1", **settings):
    return run_monitor(store, CONTRACT, make_settings(**settings), version, REFERENCE)


@both
def test_predictions_are_judged_once_and_their_outcomes_when_they_come(store):
    frame = customers(200, seed=2)
    ids = serve(store, frame)
    first = run_once(store)
    assert (first.result.rows, first.result.labelled_rows) == (200, 0)
    assert record_run(store, first)

    assert run_once(store).window.is_empty

    come_true(store, ids, frame)
    second = run_once(store)
    assert (second.result.rows, second.result.labelled_rows) == (0, 200)
    assert second.result.performance.realized is not None
    assert second.result.performance.realized.churn_rate == frame["churned"].mean()
    assert record_run(store, second)
    assert run_once(store).window.is_empty
    assert [record.labelled_rows for record in store.monitor_runs()] == [200, 0]


def test_what_is_read_back_is_what_was_seen(store):
    come_true(store, serve(store, (frame := launch(200, seed=2))), frame)
    run = run_once(store)
    assert record_run(store, run.with_report("/reports/x.html"))
    (record,), (decision,) = store.monitor_runs(model_version="1"), store.decisions(kind=DecisionKind.POLICY)
    assert RunResult.from_record(record) == replace(run.result, report="/reports/x.html")
    assert (record.covariate_alarm, record.concept_alarm, record.report) == (True, True, "/reports/x.html")
    assert (decision.action, decision.reason) == (DecisionAction.RETRAIN, run.decision.reason)
    assert decision.evidence == run.decision.evidence


def test_clearly_violating_windows_retrain_once(store):
    actions = []
    for seed in (2, 3, 4):
        come_true(store, serve(store, (frame := launch(200, seed))), frame)
        run = run_once(store)
        assert record_run(store, run)
        actions.append(run.decision.action)
    assert actions == ["retrain", "watch", "watch"]


def test_a_new_version_starts_with_its_own_predictions_and_no_violations(store):
    for seed, version in ((2, "1"), (3, "2")):
        come_true(store, serve(store, (frame := launch(200, seed)), version), frame)
        run = run_once(store, version)
        assert (run.result.rows, run.result.labelled_rows) == (200, 200)
        # The retraining that the first version asked for has not ended.
        assert run.decision.action == ("retrain" if version == "1" else "watch")
        assert record_run(store, run)


@both
def test_killed_before_recording_nothing_is_lost(store):
    serve(store, customers(200, seed=2))
    killed = run_once(store)
    again = run_once(store)
    assert again.result == replace(killed.result, run_id=again.result.run_id, started_at=again.result.started_at)
    assert record_run(store, again)
    assert not record_run(store, killed)
    assert len(store.monitor_runs()) == len(store.decisions()) == 1


@both
def test_a_run_and_its_decision_are_written_both_or_neither(store):
    come_true(store, serve(store, (frame := launch(200, seed=2))), frame)
    run = run_once(store)
    store.write_decision(run.decision)  # taken: writing the run must fail on its second half
    with pytest.raises(AssertionError):
        assert record_run(store, run)
    assert store.monitor_runs() == []


@both
def test_recording_the_same_run_twice_is_not_a_conflict(store):
    serve(store, customers(200, seed=2))
    run = run_once(store)
    assert record_run(store, run)
    assert record_run(store, run)
    assert len(store.monitor_runs()) == len(store.decisions()) == 1


def test_missing_values_go_through_the_store_and_alarm(store):
    frame = customers(200, seed=2)
    frame.loc[:60, "minutes"] = math.nan
    serve(store, frame)
    drift = run_once(store).result.drift
    assert drift is not None
    assert [(result.feature, result.aspect) for result in drift.drifted] == [("minutes", "missing")]
