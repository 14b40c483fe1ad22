from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest

from churn.config.params import ProfitParams
from churn.evaluation import intervals
from churn.evaluation.intervals import metric_intervals, resampled_metrics
from churn.evaluation.scorecard import evaluate

PROFIT = ProfitParams()
WIDE = {"confidence": 0.95, "resamples": 200, "seed": 3}


def customers(n: int, decimals: int = 9, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.beta(1, 5, n)
    return (rng.random(n) < truth).astype(int), np.round(truth, decimals)


@pytest.mark.parametrize("decimals", [9, 1], ids=["no ties", "ties"])
@pytest.mark.parametrize("n", [7, 43, 200])
def test_a_resample_is_scored_as_the_customers_it_holds(n: int, decimals: int) -> None:
    outcome, probability = customers(n, decimals)
    order = np.argsort(probability, kind="stable")
    outcome, probability = outcome[order], probability[order]
    rng = np.random.default_rng(1)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=15)
    found = resampled_metrics(outcome, probability, 0.2, counts, PROFIT)
    for number, drawn in enumerate(counts):
        card = asdict(evaluate(outcome.repeat(drawn), probability.repeat(drawn), 0.2, profit=PROFIT))
        for name, values in found.items():
            assert values[number] == pytest.approx(card[name], abs=1e-9, nan_ok=True), name
    assert {"roc_auc", "pr_auc", "ece", "log_loss", "f1", "top_decile_lift", "profit", "empc"} <= set(found)


def test_the_order_of_the_customers_does_not_matter() -> None:
    outcome, probability = customers(300, decimals=1)
    mixed = np.random.default_rng(8).permutation(300)
    counts = np.random.default_rng(1).multinomial(300, np.full(300, 1 / 300), size=5)
    orders = np.argsort(probability, kind="stable"), mixed[np.argsort(probability[mixed], kind="stable")]
    once, again = (resampled_metrics(outcome[order], probability[order], 0.2, counts[:, order], PROFIT) for order in orders)
    for name, values in once.items():
        assert again[name] == pytest.approx(values), name


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    outcome, probability = customers(1000)
    low, high = metric_intervals(outcome, probability, 0.2, confidence=0.95, resamples=1000, seed=1)["churn_rate"]
    rate = outcome.mean()
    assert (low + high) / 2 == pytest.approx(rate, abs=0.004)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(rate * (1 - rate) / 1000), rel=0.1)


def test_more_confidence_is_wider_and_more_customers_are_narrower() -> None:
    def width(n: int, confidence: float) -> float:
        outcome, probability = customers(n)
        low, high = metric_intervals(outcome, probability, 0.2, confidence=confidence, resamples=300, seed=1)["roc_auc"]
        return high - low

    assert width(400, 0.8) < width(400, 0.95)
    assert width(1600, 0.95) < width(400, 0.95) * 0.7


def test_every_interval_but_a_boundary_one_holds_what_it_is_of() -> None:
    outcome, probability = customers(800)
    card = asdict(evaluate(outcome, probability, 0.2, profit=PROFIT))
    found = metric_intervals(outcome, probability, 0.2, profit=PROFIT, **WIDE)
    assert "ece" in found
    for name, (low, high) in found.items():
        assert low <= card[name] <= high, name


def test_the_interval_of_ece_is_down_at_zero_for_most_calibrated_scores_and_not_for_exaggerated_ones() -> None:
    calibrated, exaggerated = [], []
    for seed in range(12):
        outcome, probability = customers(500, seed=seed)
        calibrated.append(metric_intervals(outcome, probability, 0.2, **WIDE)["ece"][0])
        exaggerated.append(metric_intervals(outcome, np.minimum(1, probability * 2), 0.2, **WIDE)["ece"][0])
    # An interval of resamples as they are is never there: noise only adds.
    assert np.mean(np.array(calibrated) == 0) > 0.5
    assert min(exaggerated) > 0.05


def test_what_one_class_cannot_tell_has_no_interval() -> None:
    found = metric_intervals(np.zeros(50, dtype=int), np.linspace(0.1, 0.9, 50), 0.5, **WIDE)
    assert not {"roc_auc", "pr_auc", "top_decile_lift"} & set(found)
    assert {"brier", "log_loss", "selection_rate"} <= set(found)


def test_resamples_of_one_class_are_left_out() -> None:
    outcome, probability = np.array([1] + [0] * 11), np.linspace(0.9, 0.1, 12)
    # A third of the resamples has no churner; of the others each has the perfect order.
    assert metric_intervals(outcome, probability, 0.85, **WIDE)["roc_auc"] == (1.0, 1.0)


def test_profit_has_intervals_only_if_it_is_said_what_a_customer_is_worth() -> None:
    outcome, probability = customers(100)
    assert not {"profit", "empc"} & set(metric_intervals(outcome, probability, 0.2, **WIDE))
    assert {"profit", "empc"} <= set(metric_intervals(outcome, probability, 0.2, profit=PROFIT, **WIDE))


def test_the_same_seed_gives_the_same_intervals() -> None:
    outcome, probability = customers(60)
    once = metric_intervals(outcome, probability, 0.2, confidence=0.9, resamples=100, seed=1)
    assert metric_intervals(outcome, probability, 0.2, confidence=0.9, resamples=100, seed=1) == once
    assert metric_intervals(outcome, probability, 0.2, confidence=0.9, resamples=100, seed=2) != once


def test_resamples_that_do_not_fit_in_memory_at_once_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CELLS", 60 * 7)
    drawn = list(intervals.draw_counts(60, 100, seed=1))
    assert [len(part) for part in drawn] == [7] * 14 + [2]
    assert (np.concatenate(drawn).sum(axis=1) == 60).all()
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 100
