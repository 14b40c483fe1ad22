"""Scoring runs: begun once, whatever happens, and read by the monitor when they are whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from churn.store import scoring_runs
from churn.store.records import Prediction
from churn.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def predict(store: Store, *names: str, version: str = "1") -> None:
    store.write_predictions([Prediction(name, None, NOON, version, 0.25, 0.5, False, {}) for name in names])


def rows_seen(store: Store) -> int:
    return store.find_span("1", after_seq=0, newest=100).rows


def test_a_run_keeps_the_moment_that_it_was_given_first(store: Store) -> None:
    predict(store, "a", "b")
    first = store.begin_scoring_run("k", source="/in.csv", model_version="1", requested_at=NOON)
    assert (first.requested_at, first.after_seq, first.finished_at, first.rows) == (NOON, 2, None, 0)
    predict(store, "c")
    again = store.begin_scoring_run("k", source="/other.csv", model_version="1", requested_at=LATER)
    assert (again.requested_at, again.after_seq, again.source) == (NOON, 2, "/in.csv")
    assert again.active_at >= first.active_at
    store.finish_scoring_run("k", 7)
    (found,) = store.scoring_runs()
    assert found.finished_at is not None
    assert (found.rows, found.after_seq) == (7, 2)


def test_predictions_of_a_run_are_seen_when_all_are_there(store: Store) -> None:
    predict(store, "a", "b")
    store.begin_scoring_run("k", source="", model_version="1", requested_at=NOON)
    store.begin_scoring_run("other", source="", model_version="2", requested_at=NOON)
    predict(store, "c", "d", "e")
    assert rows_seen(store) == 2
    store.finish_scoring_run("other", 0)
    assert rows_seen(store) == 2
    store.finish_scoring_run("k", 3)
    assert rows_seen(store) == 5


def test_a_run_that_was_killed_holds_the_monitor_up_for_a_while(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.begin_scoring_run("k", source="", model_version="1", requested_at=NOON)
    predict(store, "a")
    begun, soon = scoring_runs.now(), timedelta(minutes=1)
    monkeypatch.setattr(scoring_runs, "now", lambda: begun + scoring_runs.ABANDONED_AFTER - soon)
    assert rows_seen(store) == 0
    store.keep_scoring_run_alive("k")
    monkeypatch.setattr(scoring_runs, "now", lambda: begun + 2 * scoring_runs.ABANDONED_AFTER - 2 * soon)
    assert rows_seen(store) == 0
    monkeypatch.setattr(scoring_runs, "now", lambda: begun + 2 * scoring_runs.ABANDONED_AFTER)
    assert rows_seen(store) == 1


def test_a_clock_that_was_set_back_does_not_hold_the_monitor_up_until_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = scoring_runs.now()
    monkeypatch.setattr(scoring_runs, "now", lambda: begun + timedelta(days=1))
    store.begin_scoring_run("k", source="", model_version="1", requested_at=NOON)
    predict(store, "a")
    assert rows_seen(store) == 0
    monkeypatch.setattr(scoring_runs, "now", lambda: begun)
    assert rows_seen(store) == 1


def test_the_last_id_within_two(store: Store) -> None:
    predict(store, "k-1", "k-3", "k-2", "j", "l")
    assert store.last_id_within("k-0", "k-9") == "k-3"
    assert store.last_id_within("k-4", "k-9") is None
