"""Outcomes by slice on a real store, SQLite and PostgreSQL: harm to a tenth of the customers, and small slices that wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pandas as pd
import pytest

from churn.store.records import DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference
from monitoring.run_result import RunResult
from tests.unit.monitoring.fakes import come_true, make_settings, serve
from tests.unit.monitoring.grouped import CONTRACT, draw

REFERENCE = Reference.of(draw(3000, 1), CONTRACT)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Store]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'store.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").database())
        opened = Store.open(url)
        stack.callback(opened.close)
        yield opened


def live(store: Store, frame: pd.DataFrame) -> RunResult:
    come_true(store, serve(store, frame, contract=CONTRACT), frame)
    run = run_monitor(store, CONTRACT, make_settings(max_window_rows=10_000), "1", REFERENCE)
    assert record_run(store, run)
    return RunResult.from_record(store.monitor_runs(limit=1)[0])


def test_harm_to_a_tenth_is_named_recorded_and_acted_upon(store: Store) -> None:
    calm = live(store, draw(1000, 2))
    assert calm.slices is not None
    assert (calm.concept_alarm, calm.worse_slices) == (False, ())
    worse = live(store, draw(2000, 3, worse=0.25, fewer=0.2))
    assert worse.concept is not None
    assert not worse.concept.alarm
    assert worse.worse_slices[0].startswith("customers with plan Yes: churned ")
    assert worse.policy.action == DecisionAction.RETRAIN
    decision = store.decisions(kind=DecisionKind.POLICY, limit=1)[0]
    assert worse.worse_slices[0] in decision.reason
    assert decision.evidence["worse_slices"] == list(worse.worse_slices)


def test_outcomes_of_a_small_slice_wait_in_the_store_and_count_once(store: Store) -> None:
    windows = [draw(200, seed) for seed in range(6)]
    waited, counted = 0, []
    for window in windows:
        slices = live(store, window).slices
        assert slices is not None
        own = {(one.column, one.level): one.rows for one in slices.judged}.get(("plan", "Yes"))
        waited += int(window["plan"].sum())
        assert own == (waited if waited >= 50 else None)
        counted.append(own)
        waited = 0 if own else waited
    assert None in counted
    assert any(counted)
