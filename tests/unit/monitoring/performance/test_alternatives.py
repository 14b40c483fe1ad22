from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from monitoring.performance.alternatives import ERROR_RISES, KINDS, error_ratios, outcome_ratios, ratios_if_left_or_stayed
from monitoring.performance.recalibration import Recalibration

FITTED = Recalibration(0.2, 0.9, np.eye(2), -1.5)
Z = np.array([-3.0, -1.0, 0.0, 2.0])


def test_each_ratio_is_that_of_two_likelihoods() -> None:
    base = 0.2 + 0.9 * Z
    changes = [base + 0.5, base + 1.0, base - 0.5, base - 1.0, -1.5 + (base + 1.5) * 0.6, -1.5 + (base + 1.5) * 0.3]
    left, stayed = ratios_if_left_or_stayed(Z, FITTED)
    for column, other in enumerate(changes):
        np.testing.assert_allclose(left[:, column], np.log(special.expit(other) / special.expit(base)))
        np.testing.assert_allclose(stayed[:, column], np.log(special.expit(-other) / special.expit(-base)))
    assert KINDS == ("more leave than expected",) * 2 + ("fewer leave than expected",) * 2 + ("its answers mean less",) * 2


def test_who_left_counts_for_more_leaving_and_who_stayed_against_it() -> None:
    y = np.array([1.0, 0.0, 1.0, 0.0])
    found = outcome_ratios(Z, FITTED, y)
    left, stayed = ratios_if_left_or_stayed(Z, FITTED)
    assert found.shape == (4, 6)
    np.testing.assert_array_equal(found[::2], left[::2])
    np.testing.assert_array_equal(found[1::2], stayed[1::2])
    assert np.all(found[::2, :2] > 0)
    assert np.all(found[1::2, :2] < 0)
    assert np.all(found[::2, 2:4] < 0)


def test_certain_answers_have_finite_ratios() -> None:
    left, stayed = ratios_if_left_or_stayed(np.array([-1_000.0, 1_000.0]), FITTED)
    assert np.isfinite(left).all()
    assert np.isfinite(stayed).all()


def test_errors_are_held_against_a_rate_that_rose() -> None:
    found = error_ratios(np.array([1.0, 0.0]), 0.1)
    expected = [[np.log(0.15 / 0.1), np.log(0.2 / 0.1)], [np.log(0.85 / 0.9), np.log(0.8 / 0.9)]]
    np.testing.assert_allclose(found, expected)
    assert ERROR_RISES == (0.05, 0.10)
    assert np.isfinite(error_ratios(np.array([1.0, 0.0]), 0.97)).all()
    assert error_ratios(np.array([0.0]), 0.97)[0].tolist() == pytest.approx([np.log(1e-6 / 0.03)] * 2)
