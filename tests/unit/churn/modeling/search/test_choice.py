from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from churn.modeling.search import choice
from churn.modeling.search.choice import measure_gain, measure_ranking


def answers(rows: int = 400, better: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0.02, 0.98, rows)
    outcome = (rng.random(rows) < truth).astype(np.int64)
    simple = np.clip(truth + rng.normal(0, 0.1, rows), 0.01, 0.99)
    return outcome, simple, simple + better * (truth - simple)


def test_what_is_closer_to_the_truth_pays() -> None:
    outcome, simple, other = answers(4_000, better=0.9)
    gain = measure_gain(outcome, simple, other, None)
    assert gain.mean > 2 * gain.error > 0
    assert gain.pays
    back = measure_gain(outcome, other, simple, None)
    assert back == pytest.approx((-gain.mean, gain.error))
    assert not back.pays


def test_the_same_never_pays() -> None:
    outcome, simple, _ = answers()
    assert measure_gain(outcome, simple, simple, None) == (0.0, 0.0)
    assert not measure_gain(outcome, simple, simple, None).pays


def test_what_noise_alone_brings_rarely_pays() -> None:
    """One standard error is 16 % of the noise on that side."""
    rng = np.random.default_rng(4)
    paid = 0
    for _ in range(300):
        outcome = rng.integers(0, 2, 200)
        first, second = (np.clip(0.5 + rng.normal(0, 0.05, 200), 0.01, 0.99) for _ in range(2))
        paid += measure_gain(outcome, first, second, None).pays
    assert 0.08 < paid / 300 < 0.24


def test_rows_of_one_customer_are_one_piece_of_evidence() -> None:
    outcome, simple, other = answers(better=0.5)
    alone = measure_gain(outcome, simple, other, None)
    often = [np.repeat(part, 4) for part in (outcome, simple, other)]
    customer = np.repeat(np.arange(400), 4)
    assert measure_gain(*often, customer) == pytest.approx(alone)
    assert measure_gain(*often, None).error == pytest.approx(alone.error / 2, rel=0.01)
    assert measure_gain(*often, np.zeros(1_600, dtype=np.int64)).error == np.inf


def test_a_probability_of_one_that_is_wrong_is_a_large_loss_and_no_infinity() -> None:
    gain = measure_gain(np.array([1, 0]), np.array([0.5, 0.5]), np.array([0.0, 0.0]), None)
    assert np.isfinite(gain.mean)
    assert gain.mean < -10


def test_ranking_is_average_precision_and_its_error_that_of_other_samples() -> None:
    rng = np.random.default_rng(4)
    errors, gains = [], []
    for _ in range(15):
        outcome = rng.integers(0, 2, 400)
        simple, other = (outcome * shift + rng.normal(size=400) for shift in (0.8, 1.0))
        gain = measure_ranking(outcome, simple, other, None)
        assert gain.mean == pytest.approx(average_precision_score(outcome, other) - average_precision_score(outcome, simple))
        gains.append(gain.mean)
        errors.append(gain.error)
    assert np.mean(errors) == pytest.approx(np.std(gains, ddof=1), rel=0.5)


def test_the_error_of_a_ranking_counts_customers_not_rows() -> None:
    rng = np.random.default_rng(5)
    outcome = rng.integers(0, 2, 200)
    simple, other = outcome * 0.8 + rng.normal(size=200), outcome + rng.normal(size=200)
    once = measure_ranking(outcome, simple, other, None)
    again = [np.repeat(one, 9) for one in (outcome, simple, other, np.arange(200) + 7)]
    assert measure_ranking(*again) == pytest.approx(once, rel=0.01)
    assert measure_ranking(*again[:3], None).error < once.error / 2


def test_one_and_the_same_ranking_neither_pays_nor_costs() -> None:
    outcome, said = np.array([0, 1, 0, 1, 1, 0] * 9), np.linspace(0, 1, 54)
    gain = measure_ranking(outcome, said, said, None)
    assert (gain.mean, gain.pays, gain.costs) == (0.0, False, False)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_that_of_scikit_learn_for_ties_and_resamples_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outcome = rng.integers(0, 2, 200)
    simple, other = (np.round(outcome * shift + rng.normal(size=200), seed % 3) for shift in (0.5, 1.0))
    counts = rng.multinomial(200, np.full(200, 1 / 200), size=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "draw_counts", lambda *_: [counts])
        gain = measure_ranking(outcome, simple, other, None)
    theirs = [
        np.subtract(*(average_precision_score(outcome, said, sample_weight=weights) for said in (other, simple)))
        for weights in (None, *counts)
    ]
    assert gain.mean == pytest.approx(theirs[0], abs=1e-12)
    assert gain.error == pytest.approx(np.std(theirs[1:], ddof=1), abs=1e-12)
