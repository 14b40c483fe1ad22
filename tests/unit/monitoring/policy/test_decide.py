from __future__ import annotations

from datetime import timedelta
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.policy.decide import decide
from monitoring.run_result import RunResult
from tests.unit.monitoring.fakes import NOW, make_settings
from tests.unit.monitoring.results import (
    make_concept,
    make_drift,
    make_drift_result,
    make_result,
    make_slice,
    make_slices,
    make_stream,
)

VIOLATES, HOLDS, UNLABELLED = make_result(concept_alarm=True), make_result(), make_result(labelled_rows=0)
TRIGGERED = Decision(
    DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "", model_version="1", decided_at=NOW - timedelta(seconds=100)
)

FAILED = Decision(DecisionKind.RETRAIN, DecisionAction.FAILED, "train", "", decided_at=NOW - timedelta(seconds=90))


def judge(current, history=(), decisions=(), **settings):
    return decide(current, list(history), list(decisions), make_settings(**settings), NOW)


def test_calm_runs_need_nothing():
    assert judge(HOLDS, [VIOLATES, VIOLATES]).action == DecisionAction.NONE
    assert judge(UNLABELLED, [VIOLATES, VIOLATES]).action == DecisionAction.NONE


def test_drift_without_outcomes_asks_for_them():
    decision = judge(make_result(labelled_rows=0, rows=250, covariate_alarm=True), [VIOLATES, VIOLATES])
    assert decision.action == DecisionAction.WATCH
    assert "250" in decision.reason
    assert "outcomes are needed" in decision.reason


def test_drift_while_the_model_holds_is_watched():
    decision = judge(make_result(covariate_alarm=True), [VIOLATES, VIOLATES])
    assert decision.action == DecisionAction.WATCH
    assert "holds on 100" in decision.reason


def test_one_violation_is_watched():
    decision = judge(VIOLATES, [HOLDS, HOLDS])
    assert decision.action == DecisionAction.WATCH
    assert "1 of the last 3" in decision.reason


@pytest.mark.parametrize("history", [[VIOLATES], [VIOLATES, HOLDS], [HOLDS, VIOLATES]])
def test_k_of_n_with_the_newest_retrain(history):
    decision = judge(VIOLATES, history)
    assert decision.action == DecisionAction.RETRAIN
    assert f"2 of the last {len(history) + 1}" in decision.reason


def test_violations_older_than_n_runs_do_not_count():
    assert judge(VIOLATES, [HOLDS, HOLDS, VIOLATES, VIOLATES]).action == DecisionAction.WATCH


def test_runs_without_outcomes_are_skipped_not_counted():
    assert judge(VIOLATES, [UNLABELLED, UNLABELLED, UNLABELLED, VIOLATES]).action == DecisionAction.RETRAIN


@pytest.mark.parametrize(("p_value", "action"), [(1e-7, "retrain"), (1e-6, "retrain"), (1.1e-6, "watch")])
def test_a_slice_counts_as_the_whole_does_and_is_named(p_value, action):
    worse = make_result(slices=make_slices(make_slice(p_value=p_value)))
    decision = judge(worse)
    assert decision.action == action
    assert "the newest among them: customers with plan Yes: churned 31 % where 12 % was expected; 2 of 3" in decision.reason
    assert judge(worse, [make_result(concept_alarm=True)]).action == "retrain"


def test_of_many_slices_the_most_surprising_are_named():
    slices = make_slices(*(make_slice("area", f"A{n}", p_value=10.0 ** -(n + 3)) for n in range(5)))
    reason = judge(make_result(slices=slices)).reason
    assert [level for level in ("A0", "A1", "A2", "A3", "A4") if level in reason] == ["A2", "A3", "A4"]
    assert "; and 2 more; 2 of 3 are needed" in reason


@pytest.mark.parametrize(
    ("p_value", "k", "action"),
    [
        # The threshold is .0015: two runs that just violate have a probability of 2.25e-6, three of 3.4e-9.
        (2.2e-6, 2, DecisionAction.RETRAIN),
        (2.3e-6, 2, DecisionAction.WATCH),
        (3.3e-9, 3, DecisionAction.RETRAIN),
        (3.4e-9, 3, DecisionAction.WATCH),
    ],
)
def test_one_run_is_enough_if_it_is_as_clear_as_k_together(p_value, k, action):
    decision = judge(make_result(concept=make_concept(alarm=True, p_value=p_value)), [HOLDS, HOLDS], policy_k=k)
    assert decision.action == action
    assert (f"{p_value:.1g}" in decision.reason) == (action == DecisionAction.RETRAIN)


@pytest.mark.parametrize("against", [TRIGGERED, FAILED])
def test_what_speaks_against_a_retraining_does_so_however_clear_the_run_is(against):
    decision = judge(make_result(concept=make_concept(alarm=True, p_value=1e-30)), [HOLDS], [TRIGGERED, against])
    assert decision.action == DecisionAction.WATCH


@pytest.mark.parametrize(
    ("change_point", "action"),
    [
        (0, DecisionAction.RETRAIN),
        (150, DecisionAction.RETRAIN),
        # Less than half of the last run's outcomes, numbers 101 to 200, came after the change.
        (151, DecisionAction.WATCH),
        (250, DecisionAction.WATCH),
    ],
)
def test_a_run_violates_by_the_stream_if_half_of_its_outcomes_came_after_the_change(change_point, action):
    before = make_result(sequential=make_stream(seen=200))
    current = make_result(sequential=make_stream(seen=300, alarm=True, change_point=change_point))
    assert judge(current, [before]).action == action
    assert judge(current, [make_result(sequential=None)]).action == DecisionAction.WATCH


def test_k_and_n_are_settings():
    assert judge(VIOLATES, policy_k=1, policy_n=1).action == DecisionAction.RETRAIN
    assert judge(VIOLATES, [VIOLATES, HOLDS, VIOLATES], policy_k=3, policy_n=4).action == DecisionAction.RETRAIN
    assert judge(VIOLATES, [VIOLATES, HOLDS, HOLDS], policy_k=3, policy_n=4).action == DecisionAction.WATCH


def test_within_the_cooldown_it_waits_and_says_how_long():
    decision = judge(VIOLATES, [VIOLATES], [TRIGGERED, FAILED], cooldown_seconds=600)
    assert decision.action == DecisionAction.WATCH
    assert "500 of 600 seconds" in decision.reason


def test_after_the_cooldown_it_retrains_again():
    assert judge(VIOLATES, [VIOLATES], [TRIGGERED, FAILED], cooldown_seconds=100).action == DecisionAction.RETRAIN


def test_only_the_policys_own_retrain_decisions_start_the_wait():
    others = [
        Decision(DecisionKind.POLICY, DecisionAction.WATCH, "monitor", "", decided_at=NOW),
        Decision(DecisionKind.GATE, DecisionAction.RETRAIN, "someone", "", decided_at=NOW),
        Decision(DecisionKind.RETRAIN, DecisionAction.REJECTED, "train", "", decided_at=NOW),
    ]
    assert judge(VIOLATES, [VIOLATES], others).action == DecisionAction.RETRAIN


def test_a_promotion_ends_the_wait_for_the_new_version_only():
    promotion = Decision(
        DecisionKind.PROMOTION, DecisionAction.PROMOTED, "gate", "", model_version="2", decided_at=NOW - timedelta(seconds=50)
    )
    new = make_result(model_version="2", concept_alarm=True)
    assert judge(new, [new], [promotion, TRIGGERED]).action == DecisionAction.RETRAIN
    assert judge(VIOLATES, [VIOLATES], [promotion, TRIGGERED]).action == DecisionAction.WATCH


def test_a_promotion_before_the_trigger_ends_nothing():
    earlier = Decision(
        DecisionKind.PROMOTION, DecisionAction.PROMOTED, "gate", "", model_version="2", decided_at=NOW - timedelta(seconds=200)
    )
    new = make_result(model_version="2", concept_alarm=True)
    assert judge(new, [new], [TRIGGERED, earlier]).action == DecisionAction.WATCH


def test_the_newest_trigger_counts_whatever_the_order():
    old = Decision(
        DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "", model_version="1", decided_at=NOW - timedelta(seconds=5000)
    )
    assert judge(VIOLATES, [VIOLATES], [old, TRIGGERED]).action == DecisionAction.WATCH
    assert judge(VIOLATES, [VIOLATES], [TRIGGERED, old]).action == DecisionAction.WATCH


def test_one_retraining_at_a_time_and_a_dead_one_does_not_block_for_ever():
    waiting = judge(VIOLATES, [VIOLATES], [TRIGGERED], cooldown_seconds=0)
    assert waiting.action == DecisionAction.WATCH
    assert "has not ended; 3500 of 3600 seconds" in waiting.reason
    assert (
        judge(VIOLATES, [VIOLATES], [TRIGGERED], cooldown_seconds=0, retrain_timeout_seconds=100).action == DecisionAction.RETRAIN
    )
    assert judge(VIOLATES, [VIOLATES], [TRIGGERED, FAILED], cooldown_seconds=0).action == DecisionAction.RETRAIN


def asked(seconds_ago: float, end: str = "rejected") -> list[Decision]:
    moment = NOW - timedelta(seconds=seconds_ago)
    return [
        Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "", model_version="1", decided_at=moment),
        Decision(DecisionKind.RETRAIN, end, "train", "", model_version="2", decided_at=moment + timedelta(seconds=10)),
    ]


def test_each_retraining_that_found_nothing_better_doubles_the_wait():
    def action(*past: list[Decision]) -> str:
        return judge(VIOLATES, [VIOLATES], list(chain(*past)), cooldown_seconds=600, max_retrains_per_day=9).action

    assert action(asked(1199)) == "watch"
    assert action(asked(1200)) == "retrain"
    assert action(asked(5000), asked(2399)) == "watch"
    assert action(asked(5000), asked(2400)) == "retrain"
    # One that was promoted ends the row.
    assert action(asked(5000), asked(4000, "promoted"), asked(1200)) == "retrain"


def test_no_more_than_so_many_in_a_day():
    past = list(chain(*(asked(3600.0 * hours, "failed") for hours in (2, 4, 6))))
    assert judge(VIOLATES, [VIOLATES], past, max_retrains_per_day=4).action == DecisionAction.RETRAIN
    refused = judge(VIOLATES, [VIOLATES], past, max_retrains_per_day=3)
    assert refused.action == DecisionAction.WATCH
    assert "3 within a day, and 3 are the most" in refused.reason
    assert judge(VIOLATES, [VIOLATES], asked(86_400.0, "failed"), max_retrains_per_day=1).action == DecisionAction.RETRAIN


def bad(brier: float) -> RunResult:
    return make_result(concept_alarm=True, brier=brier)


def test_a_bad_model_that_retraining_does_not_mend_wakes_somebody():
    tried = [*asked(1000), *asked(500)]
    page = judge(bad(0.16), [VIOLATES], tried)
    assert page.action == DecisionAction.PAGE
    assert "Brier score +0.060" in page.reason
    assert judge(bad(0.14), [VIOLATES], tried).action == DecisionAction.WATCH
    assert judge(bad(0.16), [VIOLATES], asked(500)).action == DecisionAction.WATCH
    assert judge(bad(0.16), [HOLDS], tried).action == DecisionAction.WATCH


def drift_of(**result) -> RunResult:
    return make_result(labelled_rows=0, drift=make_drift(make_drift_result(**result)))


def test_drift_without_outcomes_asks_for_them_and_drift_that_the_model_ignores_asks_for_nothing():
    found = judge(drift_of())
    assert found.action == DecisionAction.WATCH
    assert "outcomes are needed to judge the model" in found.reason
    ignored = judge(drift_of(note=True))
    assert ignored.action == DecisionAction.NONE
    assert "columns that the model ignores (minutes)" in ignored.reason


@settings(max_examples=150)
@given(
    steps=st.lists(st.tuples(st.integers(1, 2000), st.sampled_from(["rejected", "failed", "promoted", "dead"])), max_size=40),
    cooldown=st.integers(0, 3000),
    most=st.integers(1, 5),
)
def test_whatever_happens_it_keeps_its_limits(steps, cooldown, most):
    limits = make_settings(cooldown_seconds=cooldown, max_retrains_per_day=most, retrain_timeout_seconds=900)
    past: list[Decision] = []
    now, triggered, ended_at = NOW, [], NOW
    for wait, end in steps:
        now += timedelta(seconds=wait)
        known = [decision for decision in past if decision.decided_at <= now]
        if decide(VIOLATES, [VIOLATES], known, limits, now).action != DecisionAction.RETRAIN:
            continue
        assert not triggered or (now - triggered[-1]).total_seconds() >= cooldown
        assert now >= ended_at
        triggered.append(now)
        assert sum(now - moment < timedelta(days=1) for moment in triggered) <= most
        past.append(Decision(DecisionKind.POLICY, DecisionAction.RETRAIN, "monitor", "", model_version="1", decided_at=now))
        ended_at = now + timedelta(seconds=900 if end == "dead" else 300)
        if end != "dead":
            past.append(Decision(DecisionKind.RETRAIN, end, "train", "", decided_at=ended_at))


def test_what_was_said_before_of_the_same_customers_is_no_news_and_is_named():
    calm = judge(drift_of(known=True))
    assert calm.action == DecisionAction.NONE
    assert "differ from the reference only as was said before (minutes)" in calm.reason
    still = judge(make_result(labelled_rows=0, drift=make_drift()))
    assert "new predictions look like the reference" in still.reason
    assert "said before" not in still.reason
