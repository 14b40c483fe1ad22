from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom

from churn.config.params import GateParams
from churn.evaluation.scorecard import expected_calibration_error
from churn.lifecycle.calibration_check import _errors_by_chance, calibrated

# Where the limit is no excuse: only chance is judged.
STRICT = GateParams(resamples=200, max_calibration_error=1e-9)
TRIALS = 200


def draw(rng: np.random.Generator, rows: int, each: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, calibrated outcomes and customers, of whom each has `each` rows with the same outcome."""
    customer = np.repeat(np.arange(rows // each), each)
    probability = expit(rng.normal(-1.8, 1.3, rows // each))[customer]
    return (rng.random(rows // each)[customer] < probability).astype(np.int64), probability, customer


@pytest.mark.parametrize(("rows", "each"), [(200, 1), (500, 1), (400, 20)])
def test_a_calibrated_challenger_fails_as_seldom_as_the_setting_says(rows: int, each: int) -> None:
    rng = np.random.default_rng(5)
    failed = 0
    for seed in range(TRIALS):
        outcome, probability, customer = draw(rng, rows, each)
        failed += not calibrated(outcome, probability, STRICT, seed, customer if each > 1 else None).passed
    # Not more than chance allows, and not none: a check that never fails says nothing.
    assert 1 <= failed <= binom.ppf(0.999, TRIALS, 1 - STRICT.confidence)


def test_rows_of_the_same_customers_do_not_make_chance_smaller() -> None:
    rng = np.random.default_rng(6)
    failed = {True: 0, False: 0}
    for seed in range(100):
        outcome, probability, customer = draw(rng, 400, 20)
        for known in failed:
            failed[known] += not calibrated(outcome, probability, STRICT, seed, customer if known else None).passed
    assert failed[True] <= 10
    assert failed[False] >= 60


@pytest.mark.parametrize("wrong", [lambda p: np.minimum(1, 3 * p), lambda p: expit(3 * logit(p)), lambda p: p**2])
def test_a_badly_calibrated_challenger_fails(wrong: object) -> None:
    outcome, probability, _ = draw(np.random.default_rng(7), 2_000)
    check = calibrated(outcome, wrong(probability), GateParams(max_calibration_error=0.05), 1)  # type: ignore[operator]
    assert not check.passed
    assert check.detail["p_value"] < 0.01
    assert "beyond chance (p = 0.0" in check.sentence


def test_an_error_within_the_limit_passes_whatever_chance_says() -> None:
    outcome, probability, _ = draw(np.random.default_rng(8), 5_000)
    check = calibrated(outcome, np.clip(probability + 0.05, 0, 1), GateParams(max_calibration_error=0.1), 1)
    assert check.passed
    assert check.detail == {"p_value": None}
    assert calibrated(outcome, np.clip(probability + 0.05, 0, 1), STRICT, 1).passed is False


def test_what_chance_makes_is_the_error_of_drawn_outcomes() -> None:
    # Probabilities of 0 and 1 leave nothing to chance; of one half, each draw is k of n.
    assert [part.tolist() for part in _errors_by_chance(np.array([0.0, 1.0, 1.0]), 3, 1, None)] == [[0.0, 0.0, 0.0]]
    half = np.full(40, 0.5)
    drawn = np.concatenate(list(_errors_by_chance(half, 50, 1, None)))
    possible = {round(expected_calibration_error(np.arange(40) < k, half), 9) for k in range(41)}
    assert {round(float(error), 9) for error in drawn} <= possible
    assert drawn.std() > 0


def test_the_draws_are_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, probability, _ = draw(np.random.default_rng(9), 300)
    whole = calibrated(outcome, probability, STRICT, 3)
    monkeypatch.setattr("churn.lifecycle.calibration_check.MAX_NUMBERS", 900)
    assert calibrated(outcome, probability, STRICT, 3) == whole
