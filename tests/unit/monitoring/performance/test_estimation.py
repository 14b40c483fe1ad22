from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monitoring.performance.estimation import _area, estimate_performance
from monitoring.performance.metrics import measure_performance
from tests.unit.monitoring.fakes import FakeStore, customers, launch, logged
from tests.unit.monitoring.test_monitor import run_once

REFERENCE = customers(2_000, 1)


def p_of(frame):
    return frame["churn_probability"].to_numpy()


def test_what_is_realized_lies_in_the_interval_that_was_estimated():
    inside = {"roc_auc": 0, "brier": 0, "churn_rate": 0}
    for seed in range(10, 50):
        window = customers(500, seed, minutes=200)
        estimate, realized = estimate_performance(customers(2_000, seed + 500), p_of(window)), measure_performance(window)
        for name in inside:
            low, high = estimate.intervals[name]
            inside[name] += low <= getattr(realized, name) <= high
    assert min(inside.values()) >= 33  # of 40 at 95 %: fewer has a probability of .0005


def test_it_follows_customers_who_are_easier_to_tell_apart():
    narrow = estimate_performance(REFERENCE, np.linspace(0.1, 0.12, 500))
    wide = estimate_performance(REFERENCE, np.linspace(0.01, 0.99, 500))
    assert narrow.roc_auc < 0.6
    assert wide.roc_auc > 0.75


def test_answers_that_promise_too_much_are_taken_for_what_they_meant():
    z = np.log(p_of(REFERENCE) / (1 - p_of(REFERENCE)))
    boastful = REFERENCE.assign(churn_probability=1 / (1 + np.exp(-3 * z)))
    estimate = estimate_performance(boastful, p_of(boastful))
    low, high = estimate.intervals["brier"]
    assert low <= measure_performance(boastful).brier <= high


def test_the_area_is_that_of_sklearn_ties_included():
    rng = np.random.default_rng(2)
    p = np.sort(rng.integers(0, 20, 300) / 20)
    left = rng.random(300) < p
    first = np.concatenate([[0], np.flatnonzero(np.diff(p)) + 1])
    assert _area(left, first) == pytest.approx(roc_auc_score(left, p))
    assert _area(np.zeros(300, dtype=bool), first) is None


def test_equal_answers_have_no_area_and_no_rows_no_estimate():
    equal = estimate_performance(REFERENCE, np.full(100, 0.2))
    assert equal.roc_auc is None
    assert "roc_auc" not in equal.intervals
    assert equal.brier is not None
    assert estimate_performance(REFERENCE, np.zeros(0)) is None
    assert estimate_performance(REFERENCE.iloc[:0], np.full(10, 0.2)) is None


def test_many_rows_are_sampled_and_all_counted():
    assert estimate_performance(REFERENCE, np.tile(p_of(REFERENCE), 15), draws=20).rows == 30_000


def test_a_run_without_outcomes_carries_an_estimate_and_names_gaps_to_what_came_true():
    without = run_once(FakeStore(logged(customers(300, 2), labelled=False)))
    estimated = without.result.performance.estimated
    assert estimated.intervals["roc_auc"][0] < estimated.roc_auc < estimated.intervals["roc_auc"][1]
    calm = run_once(FakeStore(logged(customers(400, 2)))).result.performance
    assert calm.gaps == ()
    changed = run_once(FakeStore(logged(launch(400, 2)))).result.performance
    assert "brier" in changed.gaps
    assert changed.realized.intervals["brier"][0] < changed.realized.brier < changed.realized.intervals["brier"][1]
