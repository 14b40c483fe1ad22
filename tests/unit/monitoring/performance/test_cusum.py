from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churn.store.records import DecisionAction
from monitoring.performance.cusum import HORIZON, CusumState, Detector
from monitoring.performance.cusum_calibration import SAFETY, calibrate, calibrate_errors, resume
from monitoring.policy.decide import decide
from tests.unit.monitoring.fakes import NOW, FakeStore, customers, logged, make_settings
from tests.unit.monitoring.results import make_result, make_stream
from tests.unit.monitoring.test_monitor import run_once

REFERENCE = customers(2_000, 1)


def streams(count, rate, length=HORIZON):
    rng = np.random.default_rng(5)
    return [(rng.random(length) < rate).astype(float) for _ in range(count)]


def worse(frame, more, seed=3):
    p = 1 / (1 + np.exp(-(np.log(frame.churn_probability / (1 - frame.churn_probability)) + more)))
    return frame.assign(churned=(np.random.default_rng(seed).random(len(frame)) < p).astype(float))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return calibrate(REFERENCE, false_alarm_rate=0.05, simulations=300)


@pytest.fixture(scope="module")
def of_errors() -> Detector:
    return calibrate_errors(0.195, false_alarm_rate=0.05)


def test_the_same_reference_and_rate_give_the_same_detector(detector):
    again = calibrate(REFERENCE.copy(), false_alarm_rate=0.05, simulations=300)
    assert (again.threshold, again.kinds, again.horizon) == (detector.threshold, detector.kinds, detector.horizon)
    assert calibrate(REFERENCE.head(500), false_alarm_rate=0.05, simulations=300).threshold != detector.threshold


def test_calm_streams_of_errors_alarm_as_rarely_as_was_asked(of_errors):
    alarms = sum(of_errors.update_errors(of_errors.start(), s).alarm for s in streams(300, 0.195))
    assert alarms <= 24  # of 300 at 4 %: more has a probability of .0005


@pytest.mark.parametrize(("more", "median"), [(0.05, 800), (0.10, 300)])
def test_more_errors_are_found_in_time(of_errors, more, median):
    found = [of_errors.update_errors(of_errors.start(), s).alarmed_at for s in streams(100, 0.195 + more)]
    assert None not in found
    assert np.median(found) <= median


@pytest.mark.parametrize(("more", "kind"), [(1.0, "more leave than expected"), (-1.5, "fewer leave than expected")])
def test_it_says_what_is_wrong(detector, more, kind):
    result = detector.update(detector.start(), worse(customers(1_500, 9), more))
    assert (result.alarm, result.kind) == (True, kind)
    assert result.statistic >= result.threshold


def test_answers_that_say_nothing_any_more_are_found(detector):
    lost = customers(3_000, 9)
    lost = lost.assign(churned=np.random.default_rng(1).permutation(lost.churned))
    assert detector.update(detector.start(), lost).kind == "its answers mean less"


def test_parts_of_a_stream_give_what_the_whole_gives(detector):
    rows = customers(900, 4)
    whole = detector.update(detector.start(), rows).state
    state = detector.start()
    for start in range(0, 900, 123):
        state = detector.update(state, rows.iloc[start : start + 123]).state
    assert state.seen == whole.seen == 900
    assert state.last_zero == whole.last_zero
    np.testing.assert_allclose(state.sums, whole.sums, atol=1e-9)


def test_the_beginning_of_a_change_is_near_where_it_was(detector):
    calm, bad = customers(1_000, 11), worse(customers(1_000, 12), 1.2)
    result = detector.update(detector.start(), pd.concat([calm, bad]))
    assert result.alarm
    assert 900 <= result.change_point <= result.alarmed_at <= 1_300


def test_an_alarm_is_said_once_and_the_next_needs_new_evidence(detector):
    result = detector.update(detector.start(), worse(customers(1_500, 9), 1.0))
    assert result.alarm
    assert set(result.state.sums) == {0.0}
    assert not detector.update(result.state, customers(50, 5)).alarm


def test_nothing_new_changes_nothing(detector):
    state = detector.update(detector.start(), customers(200, 2)).state
    result = detector.update(state, customers(200, 2).iloc[:0])
    assert result.state == state
    assert not result.alarm
    assert result.statistic == max(state.sums)


def test_perfect_and_impossible_answers_are_bounded(detector):
    rows = pd.DataFrame({"churn_probability": [0.0, 1.0] * 20, "churned": [1.0, 0.0] * 20})
    result = detector.update(detector.start(), rows)
    assert np.isfinite(result.statistic)
    assert result.alarm
    assert all(np.isfinite(result.state.sums))


def test_a_reference_in_which_nobody_left_can_be_calibrated():
    nobody = REFERENCE.assign(churned=0.0).head(200)
    found = calibrate(nobody, false_alarm_rate=0.05, simulations=50)
    assert np.isfinite(found.threshold)


def test_a_long_run_has_a_higher_threshold_and_a_short_one_the_same(detector):
    rows = customers(10, 2)
    assert detector.for_run(HORIZON // 5) == detector
    long = detector.for_run(HORIZON).update(detector.start(), rows)
    assert long.threshold == pytest.approx(detector.threshold + np.log(5))
    assert long.calibrated_threshold == detector.threshold


def test_the_threshold_of_the_first_run_is_used_again():
    rows = customers(200, 2)
    first = resume(None, REFERENCE, rows, false_alarm_rate=0.01)
    left = replace(first, calibrated_threshold=123.0)
    second = resume(left, REFERENCE, rows, false_alarm_rate=0.01)
    assert (second.state.seen, second.threshold) == (400, 123.0)
    other_rate = resume(left, REFERENCE, rows, false_alarm_rate=0.02)
    assert other_rate.threshold < first.threshold


def test_the_rate_keeps_something_back():
    tight, loose = (calibrate_errors(0.2, false_alarm_rate=rate, simulations=400) for rate in (0.05, 0.05 / SAFETY))
    assert tight.threshold >= loose.threshold


def test_runs_go_on_where_the_last_one_stopped():
    store = FakeStore(logged(customers(300, 2)))
    first = run_once(store)
    store.runs = [first.result.to_record()]
    store.log = pd.concat([store.log, logged(customers(250, 3), start=301)], ignore_index=True)
    second = run_once(store)
    assert second.result.sequential.seen == 550
    assert second.result.sequential.calibrated_threshold == first.result.sequential.calibrated_threshold


def test_a_change_that_only_the_stream_sees_counts_for_the_runs_it_lasted():
    def run_at(seen, *, alarm=False, change_point=0):
        return make_result(labelled_rows=200, sequential=make_stream(seen=seen, alarm=alarm, change_point=change_point))

    history = [run_at(400), run_at(200)]
    settings = make_settings(policy_k=2, policy_n=3)
    long_ago, just_now = (run_at(600, alarm=True, change_point=point) for point in (150, 450))
    assert decide(long_ago, history, [], settings, NOW).action == DecisionAction.RETRAIN
    assert decide(just_now, history, [], settings, NOW).action == DecisionAction.WATCH
    silent = run_at(600, change_point=150)
    assert decide(silent, history, [], settings, NOW).action == DecisionAction.NONE


def test_before_the_first_outcome_nothing_is_summed_up_and_nothing_seen() -> None:
    state = CusumState.start(3)
    assert (state.sums, state.last_zero, state.seen) == ((0.0, 0.0, 0.0), (0, 0, 0), 0)
