"""Outcomes come once a night, runs every five minutes: what looks back on outcomes is not made to forget by the runs between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from churn.store.records import DecisionAction
from monitoring.monitor import MonitoringRun, record_run, run_monitor
from monitoring.reference import Reference
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, logged, make_settings

REFERENCE = Reference.of(customers(1500, seed=1), CONTRACT)
RUNS_A_DAY, A_NIGHT = 288, 200


def night(store: FakeStore, number: int, arrived: pd.DataFrame) -> MonitoringRun:
    """A night's outcomes, the run that judges them, and a day of runs that see none."""
    new = logged(arrived, start=1 + len(store.log))
    store.log = pd.concat([store.log, new], ignore_index=True) if len(store.log) else new
    run = run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW + timedelta(days=number))
    assert record_run(store, run)
    newest = store.runs[0]
    for between in range(1, RUNS_A_DAY):
        # Only the cursor of predictions moves; such a run has no outcomes, and its stream is not known.
        seen = replace(run.result, run_id=f"{number}-{between}", window=replace(run.result.window, labelled_rows=0))
        seen = replace(seen, concept=None, sequential=None)
        store.runs.insert(0, replace(newest, run_id=seen.run_id, labelled_rows=0, concept_alarm=False, result=seen.to_dict()))
    return run


def dear(rows: int, seed: int) -> pd.DataFrame:
    """A tenth more leave: one night is not as clear as two."""
    frame = customers(rows, seed)
    frame.loc[frame.index % 10 == 0, "churned"] = 1.0
    return frame


def test_two_bad_nights_trigger_a_retraining():
    store = FakeStore()
    first, second = (night(store, number, dear(A_NIGHT, seed=number)) for number in (3, 5))
    assert first.decision.action == DecisionAction.WATCH
    assert "1 of the last 1 runs with outcomes" in first.decision.reason
    assert second.decision.action == DecisionAction.RETRAIN
    assert "2 of the last 2 runs with outcomes" in second.decision.reason


def test_a_good_night_is_not_forgotten_either():
    store = FakeStore()
    runs = [night(store, n, make(A_NIGHT, seed=n)) for n, make in enumerate((dear, customers, customers, dear), 3)]
    assert runs[-1].decision.action == DecisionAction.WATCH
    assert "1 of the last 3 runs with outcomes" in runs[-1].decision.reason


@pytest.mark.parametrize("nights", [2, 4])
def test_the_stream_of_outcomes_goes_on_from_night_to_night(nights):
    store = FakeStore()
    for number in range(nights):
        run = night(store, number, customers(A_NIGHT, seed=number + 2))
    assert run.result.sequential is not None
    assert run.result.sequential.seen == nights * A_NIGHT


def test_leavers_who_are_known_before_stayers_are_no_change_in_the_stream():
    cohort = logged(customers(900, seed=2))
    left = cohort["churned"].to_numpy() == 1
    # All who left are told first: by arrival, the stream would begin with nothing but leavers.
    cohort["outcome_seq"] = pd.Series(left).map({True: 0, False: left.sum()}) + pd.Series(left).groupby(left).cumcount() + 1.0
    assert cohort.sort_values("outcome_seq")["churned"].is_monotonic_decreasing
    run = run_monitor(FakeStore(cohort), CONTRACT, make_settings(), "1", REFERENCE, now=NOW)
    assert run.result.sequential is not None
    assert run.result.sequential.seen == 900
    assert not run.result.sequential.alarm
