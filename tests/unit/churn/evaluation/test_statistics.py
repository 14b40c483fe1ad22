from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from churn.evaluation import statistics
from churn.evaluation.statistics import bootstrap_mean_interval, log_losses, mean_bounds

RNG = np.random.default_rng(5)
ONCE = RNG.normal(0.3, 1.0, 60)


def test_bounds_of_a_mean_are_those_of_student_s_t() -> None:
    low, high = mean_bounds(ONCE, 0.025)
    assert (low, high) == pytest.approx(stats.ttest_1samp(ONCE, 0.0).confidence_interval(0.95))


@pytest.mark.parametrize("times", [2, 20])
def test_saying_the_same_of_a_customer_again_and_again_adds_no_evidence(times: int) -> None:
    repeated, customer = np.repeat(ONCE, times), np.repeat(np.arange(len(ONCE)), times)
    assert mean_bounds(repeated, 0.04, customer) == pytest.approx(mean_bounds(ONCE, 0.04))
    known = {"confidence": 0.92, "resamples": 300, "seed": 3}
    assert bootstrap_mean_interval(repeated, **known, customer=customer) == pytest.approx(bootstrap_mean_interval(ONCE, **known))  # type: ignore[arg-type]
    naive = bootstrap_mean_interval(repeated, **known)  # type: ignore[arg-type]
    assert naive[1] - naive[0] < 0.8 * (high_low(mean_bounds(ONCE, 0.04)))


@pytest.mark.parametrize("times", [1, 3])
def test_of_very_many_customers_the_interval_is_students(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values, customer = np.repeat(ONCE, times), np.repeat(np.arange(len(ONCE)), times) if times > 1 else None
    known: dict[str, Any] = {"confidence": 0.92, "resamples": 300, "seed": 3, "customer": customer}
    monkeypatch.setattr(statistics, "MAX_RESAMPLED", len(ONCE))
    drawn = bootstrap_mean_interval(values, **known)
    monkeypatch.setattr(statistics, "MAX_RESAMPLED", len(ONCE) - 1)
    students = bootstrap_mean_interval(values, **known)
    assert students == pytest.approx(mean_bounds(ONCE, 0.04))
    assert students != drawn
    assert students == pytest.approx(drawn, abs=0.2 * high_low(drawn))


def high_low(bounds: tuple[float, float]) -> float:
    return bounds[1] - bounds[0]


def test_customers_each_with_one_row_are_independent_rows() -> None:
    customer = RNG.permutation(len(ONCE))
    assert mean_bounds(ONCE, 0.04, customer) == pytest.approx(mean_bounds(ONCE, 0.04))


def test_customers_may_have_different_numbers_of_rows() -> None:
    """The bounds of one simulated world cover the mean as often as they say, where half of the customers have ten rows."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        customer = np.repeat(np.arange(80), np.where(np.arange(80) % 2, 10, 1))
        sample = rng.normal(0, 1, 80)[customer] + rng.normal(0, 0.3, len(customer))
        low, high = mean_bounds(sample, 0.05, customer)
        covered += low <= 0 <= high
    assert 0.84 < covered / 400 < 0.96


def test_the_order_of_rows_does_not_matter() -> None:
    customer = np.repeat(np.arange(30), 2)
    order = RNG.permutation(60)
    assert mean_bounds(ONCE[order], 0.1, customer[order]) == pytest.approx(mean_bounds(ONCE, 0.1, customer))


def test_log_losses_are_those_of_each_customer() -> None:
    assert log_losses(np.array([1, 0, 1]), np.array([0.5, 0.25, 0.0])) == pytest.approx(
        [np.log(2), -np.log(0.75), -np.log(1e-15)]
    )
