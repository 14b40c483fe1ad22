from __future__ import annotations

from datetime import timedelta

import pytest

from churn.records import Decision
from monitoring.policy import decide
from tests.unit.monitoring.fakes import NOW, make_run, make_settings

VIOLATES, HOLDS, UNLABELLED = make_run(concept_alarm=True), make_run(), make_run(labelled_rows=0)
TRIGGERED = Decision("policy", "retrain", "monitor", "", model_version="1", decided_at=NOW - timedelta(seconds=100))


def judge(current, history=(), decisions=(), **settings):
    return decide(current, list(history), list(decisions), make_settings(**settings), NOW)


def test_calm_looks_need_nothing():
    assert judge(HOLDS, [VIOLATES, VIOLATES]).action == "none"
    assert judge(UNLABELLED, [VIOLATES, VIOLATES]).action == "none"


def test_drift_without_outcomes_asks_for_them():
    decision = judge(make_run(labelled_rows=0, rows=250, covariate_alarm=True), [VIOLATES, VIOLATES])
    assert decision.action == "watch"
    assert "250" in decision.reason
    assert "outcomes are needed" in decision.reason


def test_drift_while_the_model_holds_is_watched():
    decision = judge(make_run(covariate_alarm=True), [VIOLATES, VIOLATES])
    assert decision.action == "watch"
    assert "holds on 100" in decision.reason


def test_one_violation_is_watched():
    decision = judge(VIOLATES, [HOLDS, HOLDS])
    assert decision.action == "watch"
    assert "1 of the last 3" in decision.reason


@pytest.mark.parametrize("history", [[VIOLATES], [VIOLATES, HOLDS], [HOLDS, VIOLATES]])
def test_k_of_n_with_the_newest_retrain(history):
    decision = judge(VIOLATES, history)
    assert decision.action == "retrain"
    assert f"2 of the last {len(history) + 1}" in decision.reason


def test_violations_older_than_n_looks_do_not_count():
    assert judge(VIOLATES, [HOLDS, HOLDS, VIOLATES, VIOLATES]).action == "watch"


def test_looks_without_outcomes_are_skipped_not_counted():
    assert judge(VIOLATES, [UNLABELLED, UNLABELLED, UNLABELLED, VIOLATES]).action == "retrain"


def test_k_and_n_are_settings():
    assert judge(VIOLATES, policy_k=1, policy_n=1).action == "retrain"
    assert judge(VIOLATES, [VIOLATES, HOLDS, VIOLATES], policy_k=3, policy_n=4).action == "retrain"
    assert judge(VIOLATES, [VIOLATES, HOLDS, HOLDS], policy_k=3, policy_n=4).action == "watch"


def test_within_the_cooldown_it_waits_and_says_how_long():
    decision = judge(VIOLATES, [VIOLATES], [TRIGGERED], cooldown_seconds=600)
    assert decision.action == "watch"
    assert "500 of 600 seconds" in decision.reason


def test_after_the_cooldown_it_retrains_again():
    assert judge(VIOLATES, [VIOLATES], [TRIGGERED], cooldown_seconds=100).action == "retrain"


def test_only_the_policys_own_retrain_decisions_start_the_wait():
    others = [
        Decision("policy", "watch", "monitor", "", decided_at=NOW),
        Decision("gate", "retrain", "someone", "", decided_at=NOW),
        Decision("retrain", "rejected", "train", "", decided_at=NOW),
    ]
    assert judge(VIOLATES, [VIOLATES], others).action == "retrain"


def test_a_promotion_ends_the_wait_for_the_new_version_only():
    promotion = Decision("promotion", "promote", "gate", "", model_version="2", decided_at=NOW - timedelta(seconds=50))
    new = make_run(model_version="2", concept_alarm=True)
    assert judge(new, [new], [promotion, TRIGGERED]).action == "retrain"
    assert judge(VIOLATES, [VIOLATES], [promotion, TRIGGERED]).action == "watch"


def test_a_promotion_before_the_trigger_ends_nothing():
    earlier = Decision("promotion", "promote", "gate", "", model_version="2", decided_at=NOW - timedelta(seconds=200))
    new = make_run(model_version="2", concept_alarm=True)
    assert judge(new, [new], [TRIGGERED, earlier]).action == "watch"


def test_the_newest_trigger_counts_whatever_the_order():
    old = Decision("policy", "retrain", "monitor", "", model_version="1", decided_at=NOW - timedelta(seconds=5000))
    assert judge(VIOLATES, [VIOLATES], [old, TRIGGERED]).action == "watch"
    assert judge(VIOLATES, [VIOLATES], [TRIGGERED, old]).action == "watch"
