from __future__ import annotations

from datetime import timedelta

import pytest

from churn.clock import now
from churn.store.flow_runs import MAX_FAILURE_LENGTH, FlowRunCounts
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON

LATER = NOON + timedelta(hours=1)


def test_no_flow_has_run_yet(store: Store) -> None:
    assert store.flow_runs() == []


def test_a_success_and_a_failure_are_counted_and_the_newest_is_told(store: Store) -> None:
    store.write_flow_run("retrain", seconds=2.5, at=NOON)
    assert store.flow_runs() == [FlowRunCounts("retrain", 1, 0, NOON, NOON, 2.5, "")]
    store.write_flow_run("retrain", seconds=0.5, failure="the registry is away", at=LATER)
    # When it last succeeded stays known.
    assert store.flow_runs() == [FlowRunCounts("retrain", 1, 1, LATER, NOON, 0.5, "the registry is away")]
    store.write_flow_run("retrain", seconds=1.0, at=LATER)
    assert store.flow_runs() == [FlowRunCounts("retrain", 2, 1, LATER, LATER, 1.0, "")]


def test_a_flow_that_only_failed_never_succeeded(store: Store) -> None:
    for _ in range(2):
        store.write_flow_run("score", seconds=1.0, failure="x", at=NOON)
    assert store.flow_runs() == [FlowRunCounts("score", 0, 2, NOON, None, 1.0, "x")]


def test_flows_are_told_apart_and_listed_by_name(store: Store) -> None:
    for flow in ("retrain", "monitor", "score"):
        store.write_flow_run(flow, seconds=1.0)
    found = store.flow_runs()
    assert [one.flow for one in found] == ["monitor", "retrain", "score"]
    assert {one.succeeded for one in found} == {1}
    assert all(timedelta(0) <= now() - one.last_ended_at < timedelta(minutes=1) for one in found)


@pytest.mark.parametrize("length", [MAX_FAILURE_LENGTH, MAX_FAILURE_LENGTH + 1])
def test_a_long_failure_is_cut(length: int, store: Store) -> None:
    store.write_flow_run("score", seconds=1.0, failure="x" * length)
    assert store.flow_runs()[0].last_failure == "x" * 500
