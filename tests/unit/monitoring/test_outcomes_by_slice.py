"""A run judges its slices: each outcome once in each slice, also where it takes several runs until there are enough."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from churn.store.records import DecisionAction
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference
from monitoring.run_result import RunResult
from tests.unit.monitoring.fakes import NOW, FakeStore, make_settings
from tests.unit.monitoring.grouped import CONTRACT, draw

REFERENCE = Reference.of(draw(3000, 1), CONTRACT)


def log(frame: pd.DataFrame, start: int = 1) -> pd.DataFrame:
    seq = np.arange(start, start + len(frame))
    head = {
        "seq": seq,
        "prediction_id": [f"p{n}" for n in seq],
        "customer_id": None,
        "requested_at": [NOW - timedelta(seconds=100_000 - int(n)) for n in seq],
        "model_version": "1",
        "threshold": 0.5,
        "churn_probability": frame["churn_probability"].to_numpy(),
        "churned": frame["churned"].to_numpy(),
        "observed_at": NOW,
        "outcome_seq": seq.astype(float),
    }
    return pd.concat([pd.DataFrame(head), frame[CONTRACT.feature_names].reset_index(drop=True)], axis=1)


def runs(*windows: pd.DataFrame) -> list[RunResult]:
    store, start, found = FakeStore(log(draw(0, 0))), 1, []
    for window in windows:
        store.log = pd.concat([store.log, log(window, start)], ignore_index=True) if start > 1 else log(window)
        start += len(window)
        run = run_monitor(store, CONTRACT, make_settings(max_window_rows=10_000), "1", REFERENCE, now=NOW)
        assert record_run(store, run)
        found.append(RunResult.from_record(store.runs[0]))
    return found


def judged(result: RunResult) -> dict[str, int]:
    assert result.slices is not None
    return {f"{one.column}: {one.level}": one.rows for one in result.slices.judged}


def test_harm_to_a_tenth_is_an_alarm_with_its_name_in_the_reason() -> None:
    (result,) = runs(draw(2000, 3, worse=0.25, fewer=0.2))
    assert result.concept is not None
    assert not result.concept.alarm
    assert result.concept_alarm
    assert result.policy.action == DecisionAction.RETRAIN  # as clear as two runs
    assert "customers with plan Yes: churned " in result.policy.reason
    assert result.to_decision().evidence["worse_slices"] == list(result.worse_slices)
    assert result.worse_slices[0].startswith("customers with plan Yes: churned ")


def test_slices_take_their_share_from_the_outcomes_and_only_where_any_is_judged() -> None:
    (with_slices,), (without,) = runs(draw(2000, 3)), runs(draw(40, 3))
    assert with_slices.slices is not None
    assert with_slices.slices.alpha == pytest.approx(0.001)
    assert with_slices.concept is not None
    assert without.concept is not None
    assert (with_slices.concept.alpha, without.concept.alpha) == (pytest.approx(0.002), pytest.approx(0.003))
    assert judged(without) == {}


def test_outcomes_of_a_small_slice_wait_until_there_are_enough_and_count_once() -> None:
    windows = [draw(300, n) for n in range(4)]
    of_plan = [int(window["plan"].sum()) for window in windows]
    found = [judged(result) for result in runs(*windows)]
    assert [result.get("plan: No") for result in found] == [300 - n for n in of_plan]
    waited, expected = 0, []
    for own in of_plan:
        waited += own
        expected.append(waited if waited >= 50 else None)
        waited = 0 if waited >= 50 else waited
    assert [result.get("plan: Yes") for result in found] == expected
    assert None in expected
    assert any(expected)


def test_a_reference_without_slices_judges_none_and_leaves_the_share() -> None:
    plain = Reference.of(draw(3000, 1).assign(plan=0.0, area="north", tenure=5.0), CONTRACT)
    store = FakeStore(log(draw(500, 3)))
    result = run_monitor(store, CONTRACT, make_settings(), "1", plain, now=NOW).result
    assert result.slices is None
    assert result.concept is not None
    assert result.concept.alpha == pytest.approx(0.003)


def test_drift_within_a_group_is_watched_named_and_said_once() -> None:
    frame = draw(2000, 2)
    frame["minutes"] += 18 * (frame["area"] == "north") - 18.0 * (frame["area"] == "south")
    night = log(frame).assign(customer_id=[f"c{n}" for n in range(2000)], outcome_seq=np.nan, churned=np.nan)
    store = FakeStore(night)
    settings = make_settings(max_window_rows=10_000)
    first = run_monitor(store, CONTRACT, settings, "1", REFERENCE, now=NOW)
    assert first.result.policy.action == DecisionAction.WATCH
    assert "mean minutes of customers with area north" in first.decision.reason
    assert record_run(store, first)
    assert RunResult.from_record(store.runs[0]).drift == first.result.drift
    again = night.assign(seq=night["seq"] + 2000, requested_at=night["requested_at"] + timedelta(seconds=5000))
    store.log = pd.concat([night, again], ignore_index=True)
    second = run_monitor(store, CONTRACT, settings, "1", REFERENCE, now=NOW).result
    assert second.policy.action == DecisionAction.NONE
    assert second.drift is not None
    assert {one.aspect for one in second.drift.known} >= {"slice"}
