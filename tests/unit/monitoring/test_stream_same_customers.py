"""The stream of outcomes when the same customers come every night: nothing is counted twice, and nothing is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from monitoring.monitor import record_run, run_monitor
from monitoring.performance.stream_weights import stream_weights
from monitoring.reference import Reference
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, logged, make_settings

REFERENCE = Reference.of(customers(1500, seed=1), CONTRACT)


def named(frame: pd.DataFrame, ids: list[str | None]) -> pd.DataFrame:
    return frame.assign(customer_id=pd.Series(ids, dtype=object))


def night(store: FakeStore, number: int, arrived: pd.DataFrame, ids: list[str | None], version: str = "1"):
    new = named(logged(arrived, start=1 + len(store.log)), ids).assign(
        model_version=version, requested_at=NOW + timedelta(days=number) - timedelta(seconds=1)
    )
    store.log = pd.concat([store.log, new], ignore_index=True) if len(store.log) else new
    run = run_monitor(store, CONTRACT, make_settings(), version, REFERENCE, now=NOW + timedelta(days=number))
    assert record_run(store, run)
    assert run.result.sequential is not None
    return run.result.sequential


def test_a_base_that_says_the_same_every_night_moves_the_stream_once():
    base, store = customers(400, seed=4), FakeStore()
    # By chance some more of this base leave than expected, not enough to alarm.
    base.loc[base.index[base["churned"] == 0][:14], "churned"] = 1.0
    ids = [f"C{n}" for n in range(400)]
    found = [night(store, n, base, ids) for n in range(4)]
    store = FakeStore()
    unnamed = [night(store, n, base, [None] * 400) for n in range(4)]
    assert found[0] == unnamed[0]  # one row each: the same to the last bit
    assert found[-1].seen == 4 * 400

    def moved(runs):
        return max(np.abs(np.subtract(run.state.sums, runs[0].state.sums)).max() for run in runs)

    assert moved(found) < 0.5
    assert moved(unnamed) > 2


@pytest.mark.parametrize("between", [500])
def test_the_state_outlives_runs_without_outcomes_a_restart_and_a_rollback(between):
    parts, ids = [customers(200, seed=n) for n in (2, 3)], [None] * 200
    undisturbed = FakeStore()
    wanted = [night(undisturbed, n, part, ids) for n, part in enumerate(parts)][-1]
    store = FakeStore()
    night(store, 0, parts[0], ids)
    newest = store.runs[0]
    for n in range(between):
        store.runs.insert(0, replace(newest, run_id=f"calm {n}", labelled_rows=0))
    # Another version is judged in the meantime; then the first one is back, and everything is read anew from the store.
    night(store, 0, customers(200, seed=9), ids, version="2")
    after = FakeStore(store.log)
    after.runs = list(store.runs)
    assert night(after, 1, parts[1], ids) == wanted


def same(*ids: str | None) -> pd.DataFrame:
    return named(pd.DataFrame({"churn_probability": 0.2, "churned": np.arange(len(ids)) % 2 * 1.0}), list(ids))


def test_rows_without_ids_count_one_each():
    assert stream_weights(same(), same(None, None, None)) is None
    assert stream_weights(same(), same("a", None, None, "b")) is None
    np.testing.assert_array_equal(stream_weights(same(), same("a", "a", None, None))[2:], [1.0, 1.0])


def test_an_id_that_two_people_share_counts_as_one_customer_at_most_as_two_at_least_as_one():
    weights = stream_weights(same(), same("shared", "shared", "other"))
    assert weights is not None
    assert 1 <= weights[:2].sum() <= 2
    assert weights[2] == 1


def test_one_customer_with_half_of_a_window_weighs_far_less_than_half():
    # Whether he leaves is one fact, told five hundred times; five hundred others are told once.
    rows = pd.concat([customers(1, 1)] * 500 + [customers(500, 2)], ignore_index=True)
    weights = stream_weights(same(), named(rows, ["half"] * 500 + [f"C{n}" for n in range(500)]))
    assert weights is not None
    assert weights[:500].sum() < 25
    np.testing.assert_array_equal(weights[500:], np.ones(500))


def test_independent_outcomes_of_the_same_customers_keep_their_worth():
    months = [customers(2_000, seed=n) for n in range(12)]
    rows = named(pd.concat(months, ignore_index=True), [f"C{n}" for n in range(2_000)] * 12)
    weights = stream_weights(rows.iloc[:-2_000], rows.iloc[-2_000:])
    assert weights is not None
    assert weights.mean() > 0.5
