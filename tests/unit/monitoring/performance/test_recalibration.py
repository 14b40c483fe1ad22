"""Platt's recalibration beside scikit-learn's and statsmodels' formulas, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from monitoring.performance.recalibration import SMALLEST, Recalibration, logit, sigmoid

RNG = np.random.default_rng(0)
P = RNG.beta(1, 5, 3_000)
Y = (RNG.random(3_000) < P).astype(np.float64)


def target_of(y: np.ndarray) -> np.ndarray:
    left, rows = y.sum(), y.size
    return np.where(y == 1, (left + 1) / (left + 2), 1 / (rows - left + 2))


def slowly(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same by a general optimiser: Platt's targets, and a weak pull towards intercept 0 and slope 1."""
    z, target = logit(p), target_of(y)

    def loss(w: np.ndarray) -> float:
        margin = w[0] + w[1] * z
        pull = 0.5e-3 * (w[0] ** 2 + (w[1] - 1) ** 2)
        return float(np.sum(np.logaddexp(0, margin) - target * margin) + pull)

    return optimize.minimize(loss, [0.0, 1.0], method="BFGS", options={"gtol": 1e-6}).x


def test_a_calibrated_model_stays_as_it_is() -> None:
    found = Recalibration.of(P, Y)
    assert (found.intercept, found.slope) == (pytest.approx(0, abs=0.25), pytest.approx(1, abs=0.12))
    assert found.centre == pytest.approx(special.logit((Y.sum() + 1) / (Y.size + 2)))


@pytest.mark.parametrize(("add", "times"), [(1.0, 1.0), (-1.0, 0.5), (0.0, 2.0)])
def test_a_model_that_is_off_is_put_right(add: float, times: float) -> None:
    truth = sigmoid(add + times * logit(P))
    y = (np.random.default_rng(1).random(P.size) < truth).astype(np.float64)
    found = Recalibration.of(P, y)
    assert found.intercept == pytest.approx(add, abs=0.3)
    assert found.slope == pytest.approx(times, abs=0.25)
    np.testing.assert_allclose([found.intercept, found.slope], slowly(P, y), atol=1e-3)
    assert found.apply(logit(P)).mean() == pytest.approx(y.mean(), abs=0.005)


def test_the_covariance_is_the_inverse_of_the_information() -> None:
    found = Recalibration.of(P, Y)
    design = np.stack([np.ones(P.size), logit(P)], axis=1)
    q = sigmoid(design @ [found.intercept, found.slope])
    expected = np.linalg.inv(design.T @ (design * (q * (1 - q))[:, None]) + 1e-3 * np.eye(2))
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-3)
    drawn = np.array([(one.intercept, one.slope) for one in found.draw(4_000, np.random.default_rng(0))])
    assert drawn.mean(axis=0) == pytest.approx([found.intercept, found.slope], abs=0.01)
    np.testing.assert_allclose(np.cov(drawn.T), found.covariance, rtol=0.15)
    assert {one.centre for one in found.draw(3, np.random.default_rng(0))} == {found.centre}


@pytest.mark.parametrize("y", [np.zeros(50), np.ones(50), np.r_[np.zeros(25), np.ones(25)]])
def test_answers_that_are_perfect_and_outcomes_of_one_kind_have_a_finite_fit(y: np.ndarray) -> None:
    found = Recalibration.of(np.r_[np.full(25, 0.0), np.full(25, 1.0)], y)
    assert np.isfinite([found.intercept, found.slope, found.centre, *found.covariance.ravel()]).all()
    share = (y.sum() + 1) / (y.size + 2)
    assert found.centre == pytest.approx(np.log(share / (1 - share)))
    assert abs(found.apply(logit(np.array([0.0, 1.0]))).mean() - y.mean()) < 0.1


@given(st.floats(SMALLEST, 1 - SMALLEST))
def test_log_odds_and_probabilities_are_each_other_s_inverse(p: float) -> None:
    assert sigmoid(logit(np.array([p])))[0] == pytest.approx(p, rel=1e-9)
    assert logit(np.array([p]))[0] == pytest.approx(special.logit(p), rel=1e-9, abs=1e-12)


def test_0_and_1_are_a_millionth_from_the_edge_and_no_log_odds_overflow() -> None:
    assert logit(np.array([0.0, 1.0])) == pytest.approx([np.log(1e-6), -np.log(1e-6)], rel=1e-5)
    assert sigmoid(np.array([-1e9, 0.0, 1e9])) == pytest.approx([0.0, 0.5, 1.0])
    moved = Recalibration(0.5, 2.0, np.eye(2), 0.0)
    assert moved.log_odds(np.array([0.0, 1.0])).tolist() == [0.5, 2.5]
    assert moved.apply(np.array([1.0]))[0] == pytest.approx(special.expit(2.5))
