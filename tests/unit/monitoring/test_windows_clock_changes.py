"""A clock that is set back between two monitoring runs: nothing is judged twice, and nobody waits until it has caught up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from churn.ids import new_id
from churn.store.records import Decision, DecisionAction, DecisionKind, MonitorRun
from monitoring.policy.decide import decide
from monitoring.windows import take_window
from tests.unit.monitoring.fakes import CONTRACT, NOW, come_true, customers, make_settings, serve
from tests.unit.monitoring.results import make_result

VIOLATES = make_result(concept_alarm=True)
YEAR, MINUTE = timedelta(days=365), timedelta(minutes=1)
SETTINGS = make_settings(cooldown_seconds=3600, max_retrains_per_day=2)


def decided(kind, action, after, version="1"):
    """A decision, made so long after what is now called now."""
    return Decision(kind, action, "x", "", version, decided_at=NOW + after)


@pytest.mark.parametrize("step", [YEAR, timedelta(days=1), timedelta(hours=1)])
@pytest.mark.parametrize("ended", [[], ["rejected"], ["failed", "rejected"]])
def test_a_cooldown_or_a_retraining_from_the_future_stops_nobody(step, ended):
    asked = decided(DecisionKind.POLICY, DecisionAction.RETRAIN, step)
    ends = [decided("retrain", action, step + MINUTE) for action in ended]
    assert decide(VIOLATES, [VIOLATES], [asked, *ends], SETTINGS, NOW).action == DecisionAction.RETRAIN


def test_so_many_a_day_counts_those_that_this_clock_can_have_seen():
    future = [decided(DecisionKind.POLICY, DecisionAction.RETRAIN, YEAR + n * MINUTE) for n in range(5)]
    today = [decided(DecisionKind.POLICY, DecisionAction.RETRAIN, -timedelta(hours=2 + n)) for n in range(2)]
    ended = [decided(DecisionKind.RETRAIN, DecisionAction.FAILED, -timedelta(hours=1))]
    assert decide(VIOLATES, [VIOLATES], [*future, *ended], SETTINGS, NOW).action == DecisionAction.RETRAIN
    judged = decide(VIOLATES, [VIOLATES], [*future, *today, *ended], SETTINGS, NOW)
    assert "2 within a day" in judged.reason


def test_clocks_of_two_hosts_may_differ_by_minutes():
    asked = decided(DecisionKind.POLICY, DecisionAction.RETRAIN, 2 * MINUTE)
    judged = decide(VIOLATES, [VIOLATES], [asked], SETTINGS, NOW)
    assert judged.action == DecisionAction.WATCH
    assert "it has not ended" in judged.reason


def judge(store, window, moment):
    """What a run writes, without its statistics."""
    run = MonitorRun(
        new_id(),
        moment,
        "1",
        window.last_seq,
        window.last_outcome_seq,
        window.rows,
        len(window.labelled),
        False,
        False,
        {},
        mature_until=window.mature_until,
    )
    return run, store.write_monitor_run(run, follows=window.follows)


@pytest.mark.parametrize("step", [-YEAR, -timedelta(hours=1), YEAR])
def test_a_run_after_the_clock_was_set_goes_on_where_the_last_one_stopped(store, step):
    judged = []
    for number, moment in enumerate((NOW, NOW + step, NOW + step + MINUTE, NOW + 2 * MINUTE)):
        frame = customers(100, seed=2 + number)
        come_true(store, serve(store, frame), frame)
        window = take_window(store, CONTRACT, "1", make_settings(), now=moment)
        run, written = judge(store, window, moment)
        judged.append((run.rows, run.labelled_rows, written))
        assert take_window(store, CONTRACT, "1", make_settings(), now=moment).is_empty
    assert judged == [(100, 100, True)] * 4
    assert [run.last_seq for run in store.monitor_runs(model_version="1")] == [400, 300, 200, 100]


def test_of_two_runs_on_windows_that_overlap_one_counts(store):
    serve(store, customers(100, seed=2))
    early = take_window(store, CONTRACT, "1", make_settings())
    serve(store, customers(60, seed=3))
    late = take_window(store, CONTRACT, "1", make_settings())
    assert (early.rows, late.rows) == (100, 160)
    run, written = judge(store, early, NOW)
    assert written
    assert not judge(store, late, NOW)[1], "the first hundred were judged"
    assert store.write_monitor_run(run, follows=early.follows), "saying it twice changes nothing"
    rest = take_window(store, CONTRACT, "1", make_settings())
    assert rest.rows == 60
    assert judge(store, rest, NOW)[1]
