"""Monitoring runs: a window is judged once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from churn.errors import StoreError
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, monitor_run


def test_a_window_is_judged_once(store: Store) -> None:
    first = monitor_run()
    assert store.write_monitor_run(first)
    assert not store.write_monitor_run(monitor_run(covariate_alarm=False))
    assert store.monitor_runs() == [first]
    assert store.write_monitor_run(monitor_run(last_outcome_seq=6))
    assert store.write_monitor_run(monitor_run(model_version="2"))


def test_a_run_that_is_written_twice_is_stored_once(store: Store) -> None:
    first = monitor_run()
    assert store.write_monitor_run(first)
    assert store.write_monitor_run(first)
    assert store.monitor_runs() == [first]


def test_a_run_and_its_decision_are_stored_both_or_neither(store: Store) -> None:
    first = Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "calm", decided_at=NOON)
    assert store.write_monitor_run(monitor_run(), first)
    assert not store.write_monitor_run(monitor_run(), Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "drift"))
    with pytest.raises(StoreError):
        store.write_monitor_run(
            monitor_run(last_seq=11),
            Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "x", decided_at=NOON.replace(tzinfo=None)),
        )
    assert len(store.monitor_runs()) == 1
    assert store.decisions() == [first]


def test_runs_are_listed_newest_first(store: Store) -> None:
    for n in range(4):
        store.write_monitor_run(monitor_run(last_seq=n, started_at=NOON + timedelta(minutes=n), model_version=str(n % 2)))
    assert [run.last_seq for run in store.monitor_runs()] == [3, 2, 1, 0]
    assert [run.last_seq for run in store.monitor_runs(limit=2)] == [3, 2]
    assert [run.last_seq for run in store.monitor_runs(model_version="0")] == [2, 0]


def test_runs_that_judged_something_are_found_among_many_that_did_not(store: Store) -> None:
    for n in range(60):
        store.write_monitor_run(monitor_run(last_seq=n, labelled_rows=5 * (n in (3, 7)), rows=10 * (n < 40)))
    store.write_monitor_run(monitor_run(model_version="2", started_at=NOON - timedelta(days=1)))
    assert [run.last_seq for run in store.monitor_runs(model_version="1", judged="outcomes")] == [7, 3]
    assert [run.last_seq for run in store.monitor_runs(model_version="1", judged="outcomes", limit=1)] == [7]
    assert store.monitor_runs(model_version="1", judged="predictions", limit=1)[0].last_seq == 39
    assert {run.last_seq for run in store.monitor_runs(judged="outcomes")} == {3, 7, 10}


def test_runs_with_outcomes_are_found_by_their_index(store: Store) -> None:
    asked: list[str] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *event: asked.append(event[2]))
    store.monitor_runs(model_version="1", judged="outcomes", limit=3)
    explain = "EXPLAIN QUERY PLAN" if store.engine.dialect.name == "sqlite" else "EXPLAIN"
    parameters = ("1", 3, 0)[: asked[0].count("?")] if "?" in asked[0] else {"model_version_1": "1", "param_1": 3}
    with store.engine.begin() as connection:
        if explain == "EXPLAIN":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {asked[0]}", parameters))
    assert "ix_monitor_runs_labelled" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
