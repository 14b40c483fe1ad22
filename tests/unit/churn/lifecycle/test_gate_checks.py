from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from churn.config.params import GateParams
from churn.evaluation.slices import Slice
from churn.evaluation.statistics import bootstrap_mean_interval, log_losses, mean_bounds
from churn.lifecycle.gate_checks import better_log_loss, no_slice_falls, profit_not_worse

TRIALS = 400


def gains_of_equals(rows: int) -> np.ndarray:
    """Differences in log loss of two models that see the true log-odds through noise of the same size, shape (trials, rows)."""
    rng = np.random.default_rng(rows)
    truth = rng.normal(-1.5, 1.2, (TRIALS, rows))
    outcome = (rng.random(truth.shape) < expit(truth)).astype(np.int64)
    old, new = (log_losses(outcome, expit(truth + rng.normal(0, 0.7, truth.shape))) for _ in range(2))
    return np.asarray(old - new)


@pytest.mark.parametrize(("confidence", "fewest", "most"), [(0.95, 9, 33), (0.995, 0, 7)])
def test_an_equally_good_challenger_passes_as_often_as_the_setting_says(confidence: float, fewest: int, most: int) -> None:
    params = GateParams(resamples=200, confidence=confidence)
    passed = sum(better_log_loss(gain, params, seed, "it").passed for seed, gain in enumerate(gains_of_equals(200)))
    # 5 % of 400 is 20, give or take 4.4; 0.5 % is 2, give or take 1.4.
    assert fewest <= passed <= most


@pytest.mark.parametrize(("mean", "words"), [(0.25, "log loss lower by 0.2500 [0.2"), (-0.25, "log loss higher by 0.2500 [0.2")])
def test_a_reason_has_no_gain_below_zero(mean: float, words: str) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 400)
    check = better_log_loss(noise - noise.mean() + mean, GateParams(resamples=200), 1, "version 3")
    assert words in check.sentence
    assert "-" not in check.sentence
    low, high = map(float, check.sentence.split("[")[1].split("]")[0].split(", "))
    assert low < 0.25 < high
    assert check.value == pytest.approx(mean)


def test_many_slices_of_equals_are_rejected_no_more_often_than_one() -> None:
    strict = GateParams(max_slice_loss=0.0)
    slices = [Slice("region", str(n), np.arange(600) % 6 == n) for n in range(6)]
    rejected = sum(not no_slice_falls(gain, slices, strict).passed for gain in gains_of_equals(600))
    # With no margin 5 % of 400, give or take 4.4; each of the six slices by itself would come to 26 %.
    assert 4 <= rejected <= 33


@pytest.mark.parametrize(("customers", "passed"), [(50, True), (5000, False)])
def test_a_loss_of_money_counts_only_beyond_chance(customers: int, passed: bool) -> None:
    # The mean is the same; it is beyond the margin of 0.1 with many customers only.
    gain = np.random.default_rng(1).normal(0, 4, customers)
    check = profit_not_worse(gain - gain.mean() - 0.3, GateParams(), 1, "USD")
    assert check.value == pytest.approx(-0.3)
    assert check.passed is passed


def test_without_slices_none_can_fall() -> None:
    check = no_slice_falls(np.zeros(50), [], GateParams())
    assert (check.passed, check.value) == (True, None)


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_mean_interval(rng.exponential(1.0, 100), confidence=0.9, resamples=200, seed=seed)
        covered += low <= 1.0 <= high
    assert 165 <= covered <= 192


def test_a_higher_confidence_is_a_wider_interval() -> None:
    sample = np.random.default_rng(3).normal(size=80)
    low, high = bootstrap_mean_interval(sample, confidence=0.8, resamples=300, seed=1)
    lower, higher = bootstrap_mean_interval(sample, confidence=0.99, resamples=300, seed=1)
    assert lower < low < sample.mean() < high < higher


def test_log_losses_are_finite_for_certainties() -> None:
    losses = log_losses(np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.0, 0.0]))
    assert losses[:2] == pytest.approx(np.log(2))
    assert np.isfinite(losses).all()
    assert losses[2] > 30
    assert losses[3] < 1e-14


def test_each_bound_of_a_mean_is_wrong_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    bounds = [mean_bounds(rng.normal(1.0, 2.0, 8), 0.1) for _ in range(1000)]
    # 10 % of 1000, give or take 9.5.
    assert 70 <= sum(low > 1.0 for low, _ in bounds) <= 130
    assert 70 <= sum(high < 1.0 for _, high in bounds) <= 130
