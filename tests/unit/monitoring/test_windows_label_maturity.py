from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from churn.store.records import EPOCH, MonitorRun
from churn.store.store import Store
from monitoring.performance.metrics import measure_performance
from monitoring.windows import take_window
from tests.unit.monitoring.fakes import CONTRACT, NOW, come_true, customers, make_settings, serve

DAY = timedelta(days=1)
# A month to see who stays; `come_true` needs no clock, so outcomes are written when they become known.
MONTH = make_settings(label_maturity_seconds=30 * 86_400, min_labelled_rows=20)


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


def run_of(window, number):
    return MonitorRun(
        run_id=f"r{number}",
        started_at=NOW + number * DAY,
        model_version="1",
        last_seq=window.last_seq,
        last_outcome_seq=window.last_outcome_seq,
        mature_until=window.mature_until,
        rows=len(window.current),
        labelled_rows=len(window.labelled),
        covariate_alarm=False,
        concept_alarm=False,
        result={},
    )


def leave_first(store, seed=3, rows=400):
    frame = customers(rows, seed)
    ids = serve(store, frame)
    gone = frame["churned"] == 1
    come_true(store, [i for i, left in zip(ids, gone, strict=True) if left], frame[gone])
    return ids, frame, gone


def stay(store, ids, frame, gone):
    come_true(store, [i for i, left in zip(ids, gone, strict=True) if not left], frame[~gone])


def test_without_maturity_the_first_labels_say_that_everybody_leaves(store):
    leave_first(store)
    window = take_window(store, CONTRACT, "1", make_settings(label_maturity_seconds=0), NOW + DAY)
    assert measure_performance(window.labelled).calibration_in_the_large > 0.5


def test_with_maturity_early_churners_wait_for_those_who_stay(store):
    ids, frame, gone = leave_first(store)
    assert take_window(store, CONTRACT, "1", MONTH, NOW + DAY).labelled.empty
    stay(store, ids, frame, gone)
    window = take_window(store, CONTRACT, "1", MONTH, NOW + 31 * DAY)
    assert len(window.labelled) == 400
    assert abs(measure_performance(window.labelled).calibration_in_the_large) < 0.06
    assert window.mature_until == window.labelled["requested_at"].max().to_pydatetime()


def test_each_outcome_is_judged_once_however_the_runs_fall(store):
    rng = np.random.default_rng(7)
    frame = customers(600, 5)
    ids = serve(store, frame)
    order = rng.permutation(600)
    judged: list[int] = []
    settings = make_settings(label_maturity_seconds=300, min_labelled_rows=10)
    for number, some in enumerate(np.array_split(order, 12)):
        come_true(store, [ids[n] for n in some], frame.iloc[some])
        window = take_window(store, CONTRACT, "1", settings, NOW + timedelta(seconds=300 + 55 * (number + 1)))
        judged += window.labelled["seq"].tolist()
        if not window.is_empty:
            assert store.write_monitor_run(run_of(window, number))
    last = take_window(store, CONTRACT, "1", settings.model_copy(update={"min_labelled_rows": 1}), NOW + DAY)
    judged += last.labelled["seq"].tolist()
    assert sorted(judged) == list(range(1, 601))


def test_a_clock_that_went_backwards_judges_nothing_twice(store):
    frame = customers(300, 5)
    ids = serve(store, frame)
    come_true(store, ids[:200], frame.iloc[:200])
    first = take_window(store, CONTRACT, "1", MONTH, NOW + 31 * DAY)
    store.write_monitor_run(run_of(first, 1))
    come_true(store, ids[200:], frame.iloc[200:])
    back = take_window(store, CONTRACT, "1", MONTH, NOW - 5 * DAY)
    assert not set(back.labelled["seq"]) & set(first.labelled["seq"])
    assert back.mature_until == first.mature_until


def test_rows_that_only_grew_old_make_a_window_of_their_own(store):
    frame = customers(300, 5)
    come_true(store, serve(store, frame), frame)
    settings = make_settings(label_maturity_seconds=86_400, min_labelled_rows=20)
    young = take_window(store, CONTRACT, "1", settings, NOW + DAY + timedelta(seconds=150))
    assert (len(young.labelled), young.last_outcome_seq) == (151, 151)
    assert store.write_monitor_run(run_of(young, 1))
    again = run_of(young, 2)
    assert not store.write_monitor_run(again)
    old = take_window(store, CONTRACT, "1", settings, NOW + 2 * DAY)
    assert len(old.labelled) == 149
    assert store.write_monitor_run(run_of(old, 3))


def test_a_prediction_of_the_future_waits(store):
    frame = customers(100, 5)
    come_true(store, serve(store, frame), frame)
    window = take_window(store, CONTRACT, "1", make_settings(label_maturity_seconds=1), NOW - DAY)
    assert window.labelled.empty
    assert window.mature_until == EPOCH
    assert len(window.current) == 100


def test_unknown_and_repeated_outcomes_change_nothing(store):
    frame = customers(60, 5)
    ids = serve(store, frame)
    come_true(store, ids, frame)
    come_true(store, ids, frame)
    come_true(store, ["nobody"] * 60, frame)
    window = take_window(store, CONTRACT, "1", make_settings(), NOW + DAY)
    assert isinstance(window.labelled, pd.DataFrame)
    assert len(window.labelled) == 60
