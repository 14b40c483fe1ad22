"""The gate where the same customers were labelled again and again: twenty labels of one customer are not twenty customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.config.params import GateParams
from churn.data.labelled import Labelled
from churn.lifecycle.gate_checks import better_log_loss
from tests.unit.churn.lifecycle.test_gate import CHALLENGER, CHAMPION, GATE, WITH_PLAN, decide, failed, judged


def again(fresh: Labelled, times: int) -> Labelled:
    """Each customer so many times, as a base that is scored and labelled every month."""
    return Labelled(
        fresh.features.loc[np.repeat(fresh.features.index, times)].reset_index(drop=True),
        fresh.outcome.loc[np.repeat(fresh.outcome.index, times)].reset_index(drop=True),
        customer=np.repeat(np.arange(len(fresh)), times),
    )


def test_every_check_decides_as_on_the_customers_once() -> None:
    fresh = judged(300, 1, new=0.3, old=1.0)
    fresh.features["plan"] = (np.arange(300) % 3 == 0).astype(float)
    once = decide(CHALLENGER, CHAMPION, fresh, GATE, 1, WITH_PLAN).evidence
    often = decide(CHALLENGER, CHAMPION, again(fresh, 20), GATE, 1, WITH_PLAN).evidence
    assert (often["rows"], often["customers"], once["customers"]) == (6000, 300, 300)
    for name in ("better_log_loss", "profit_not_worse", "unbiased", "enough_evidence"):
        one, other = once["checks"][name], often["checks"][name]
        assert other["value"] == pytest.approx(one["value"]), name
        assert other["detail"].get("interval") == pytest.approx(one["detail"].get("interval")), name
    rises = [evidence["checks"]["no_slice_falls"]["detail"]["slices"] for evidence in (once, often)]
    assert [rise["at_least"] for rise in rises[1]] == pytest.approx([rise["at_least"] for rise in rises[0]])


def test_an_equally_good_challenger_passes_no_more_often_than_promised() -> None:
    """Of equally good challengers 4 % may pass; at twenty labels a customer, rows taken as customers would pass a third."""
    rng, params, who = np.random.default_rng(3), GateParams(resamples=200), np.repeat(np.arange(100), 20)
    gains = [np.repeat(rng.normal(0, 1, 100), 20) for _ in range(150)]
    by_customer = sum(better_log_loss(gain, params, 1, "version 3", who).passed for gain in gains)
    by_row = sum(better_log_loss(gain, params, 1, "version 3").passed for gain in gains)
    assert by_customer <= 14
    assert by_row >= 40


def test_few_customers_are_little_evidence_however_many_labels_they_have() -> None:
    few = again(judged(30, 4, new=0.1, old=1.0), 50)
    decision = decide(CHALLENGER, CHAMPION, few, GateParams(min_class_rows=20), 1)
    assert failed(decision) == ["enough_evidence"]
    assert "of 30 fresh customers" in decision.reason


def test_who_stayed_for_months_and_then_left_counts_for_both() -> None:
    fresh = judged(40, 4, new=0.1, old=1.0)
    twice = again(fresh, 2)
    outcome = pd.Series(np.tile([0, 1], 40))
    decision = decide(
        CHALLENGER, CHAMPION, Labelled(twice.features, outcome, customer=twice.customer), GateParams(min_class_rows=40), 1
    )
    assert decision.evidence["checks"]["enough_evidence"]["passed"]


def test_a_slice_of_one_customer_is_not_judged() -> None:
    fresh = again(judged(200, 1, new=0.3, old=1.0), 3)
    rows = np.isin(fresh.customer, [5]) if fresh.customer is not None else np.zeros(0)
    outcome = fresh.outcome.copy()
    outcome[rows] = [0, 1, 1]
    fresh.features["plan"] = rows.astype(float)
    checks = decide(CHALLENGER, CHAMPION, Labelled(fresh.features, outcome, customer=fresh.customer), GATE, 1, WITH_PLAN).evidence
    assert all(rise["rows"] > 3 for rise in checks["checks"]["no_slice_falls"]["detail"].get("slices", []))
