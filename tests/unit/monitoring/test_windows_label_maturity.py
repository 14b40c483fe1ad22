from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from churn.store.records import EPOCH, MonitorRun, Outcome
from monitoring.performance.metrics import measure_performance
from monitoring.windows import take_window
from tests.unit.monitoring.fakes import CONTRACT, NOW, come_true, customers, make_settings, serve

DAY = timedelta(days=1)
NOON_OF_DAY_ONE = NOW - 100 * DAY
# A month to see who stays; `come_true` needs no clock, so outcomes are written when they become known.
ROOMY = make_settings(label_maturity_seconds=30 * 86_400, min_labelled_rows=20, max_window_rows=5_000)
MONTH = make_settings(label_maturity_seconds=30 * 86_400, min_labelled_rows=20)


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


@pytest.mark.parametrize("stayers_told", [1, 20])
def test_where_only_leavers_are_told_and_few_who_stayed_no_outcome_counts(store, stayers_told):
    ids, frame, gone = leave_first(store)
    here = np.flatnonzero(~gone)[:stayers_told]
    come_true(store, [ids[one] for one in here], frame.iloc[here])
    window = take_window(store, CONTRACT, "1", MONTH, NOW + 31 * DAY)
    assert (len(window.labelled), window.last_outcome_seq, window.leavers_only) == (0, 0, True)
    assert window.waiting_labelled_rows == gone.sum() + stayers_told
    assert "report those who stayed too" in window.labels
    stay(store, ids, frame, gone)
    whole = take_window(store, CONTRACT, "1", MONTH, NOW + 31 * DAY)
    assert (len(whole.labelled), whole.leavers_only) == (400, False)


def test_a_month_of_leavers_alone_is_not_judged_with_the_month_after_it(store):
    """Nobody tells who stayed of the first 600; of the next all are known, and of the last leavers alone so far."""
    frame = customers(1_800, 3)
    asked = [NOW + n // 600 * 30 * DAY + timedelta(seconds=n) for n in range(1_800)]
    ids, gone = serve(store, frame, asked=asked), frame["churned"] == 1
    told = gone | pd.Series(range(1_800)).between(600, 1_199)
    come_true(store, [ids[n] for n in np.flatnonzero(told)], frame[told])
    window = take_window(store, CONTRACT, "1", ROOMY, NOW + 100 * DAY)
    assert window.labelled["seq"].tolist() == list(range(601, 1_201))
    assert (window.leavers_only, window.aside, window.waiting_labelled_rows) == (False, gone[:600].sum(), gone[1_200:].sum())
    assert f"{window.aside} outcomes of weeks of which leavers alone seem to be told are left aside" in window.labels
    store.write_monitor_run(run_of(window, 1))
    left = take_window(store, CONTRACT, "1", ROOMY, NOW + 100 * DAY)
    assert (len(left.labelled), left.leavers_only, left.aside) == (0, True, 0)
    assert left.waiting_labelled_rows == gone[1_200:].sum(), "the last wait, the first were passed over"
    come_true(store, ids[1_200:], frame[1_200:])
    assert take_window(store, CONTRACT, "1", ROOMY, NOW + 100 * DAY).labelled["seq"].tolist() == list(range(1_201, 1_801))


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


def with_early_leavers(store, *, days=60):
    """Ten predictions a day; of each ten, two have left and are known after a day, the others after thirty."""
    asked = [NOON_OF_DAY_ONE + n // 10 * DAY for n in range(10 * days)]
    frame = customers(10 * days, 5)
    frame["churned"] = [float(n % 10 < 2) for n in range(10 * days)]
    ids = serve(store, frame, asked=asked)
    return ids, asked, frame


def known_by(store, ids, asked, frame, moment):
    known = [at + DAY * (1 if left else 30) for at, left in zip(asked, frame["churned"], strict=True)]
    store.write_outcomes(
        [
            Outcome(bool(left), at, prediction_id=i)
            for i, at, left in zip(ids, known, frame["churned"], strict=True)
            if at <= moment
        ]
    )


def test_without_a_setting_the_delays_tell_how_long_to_wait(store):
    ids, asked, frame = with_early_leavers(store)
    day_sixty = NOON_OF_DAY_ONE + 60 * DAY
    known_by(store, ids, asked, frame, day_sixty)
    at_once = take_window(store, CONTRACT, "1", make_settings(label_maturity_seconds=0), day_sixty)
    assert at_once.labelled["churned"].mean() > 0.3
    assert "which is too short: an outcome counts once its prediction is 31.5 days old" in at_once.summary().labels
    waited = take_window(store, CONTRACT, "1", make_settings(), day_sixty)
    assert waited.labelled["churned"].mean() == 0.2
    assert waited.maturity.seconds == pytest.approx(31.5 * 86_400)
    assert waited.labelled["requested_at"].max() <= day_sixty - 31.5 * DAY


def test_while_only_leavers_are_known_nothing_is_judged_and_that_is_said(store):
    ids, asked, frame = with_early_leavers(store, days=20)
    day_twenty = NOON_OF_DAY_ONE + 20 * DAY
    known_by(store, ids, asked, frame, day_twenty)
    window = take_window(store, CONTRACT, "1", make_settings(), day_twenty)
    assert window.labelled.empty
    assert window.summary().maturity_seconds is None
    assert "all 40 known outcomes are of customers who left" in window.summary().labels


def test_mature_predictions_without_an_outcome_are_counted_and_not_taken_for_stayers(store):
    ids, asked, frame = with_early_leavers(store)
    day_ninety = NOON_OF_DAY_ONE + 90 * DAY
    told = [n for n in range(len(ids)) if n % 10 != 9]
    known_by(store, [ids[n] for n in told], [asked[n] for n in told], frame.iloc[told], day_ninety)
    window = take_window(store, CONTRACT, "1", make_settings(), day_ninety)
    assert window.labelled["churned"].mean() == pytest.approx(2 / 9)
    assert window.cohort.unknown == pytest.approx(len(window.labelled) / 9, abs=2)
    assert "have no outcome" in window.summary().labels


def test_outcomes_corrected_after_they_were_judged_are_counted_and_those_before_are_judged_as_they_stand(store):
    frame = customers(200, 5)
    ids = serve(store, frame)
    frame["churned"] = 1.0
    come_true(store, ids[:150], frame.iloc[:150])
    settings = make_settings(label_maturity_seconds=0)
    store.write_monitor_run(run_of(take_window(store, CONTRACT, "1", settings, NOW), 1))
    come_true(store, ids[150:], frame.iloc[150:])
    later = NOW + 40 * DAY
    store.write_outcomes([Outcome(False, later, prediction_id=i, corrects=True) for i in [*ids[:7], ids[160]]])
    window = take_window(store, CONTRACT, "1", settings, NOW + 41 * DAY)
    assert (len(window.labelled), window.labelled["churned"].sum()) == (50, 49.0)
    assert window.corrected_rows == 7
    assert "7 outcomes that were judged before have been corrected or withdrawn since" in window.summary().labels
