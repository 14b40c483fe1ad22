"""The gate's check of calibration: is the expected calibration error beyond its limit, and beyond what chance alone makes?

Even a perfectly calibrated model has an expected calibration error: in ten bins of twenty customers the churn rates scatter. So
the error is compared with its own null distribution: outcomes are drawn from the model's probabilities (a parametric bootstrap),
and the error is computed of each draw. Consistency resampling: Bröcker and Smith, Increasing the Reliability of Reliability
Diagrams, Weather and Forecasting 22(3), 2007.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from churn.config.params import GateParams
from churn.evaluation.scorecard import equal_bins, expected_calibration_error
from churn.evaluation.statistics import Customers
from churn.lifecycle.gate_checks import Check

# Of one piece of the draws, so that they need tens of megabytes however many rows there are.
MAX_NUMBERS = 2_000_000


def calibrated(
    outcome: np.ndarray, probability: np.ndarray, params: GateParams, seed: int, customer: Customers | None = None
) -> Check:
    """Check that the expected calibration error is not above `max_calibration_error`, or not beyond chance.

    A perfectly calibrated challenger fails with probability 1 - confidence at most, on however few rows.

    Parameters
    ----------
    outcome : array of int, shape (n,)
        1 if a customer churned, else 0.
    probability : array of float, shape (n,)
        The challenger's, in [0, 1].
    params : GateParams
    seed : int
        Of the draws.
    customer : array of int, shape (n,), optional
        Which rows are about the same customer; None if each is about another one.

    Returns
    -------
    Check
        Its detail is the p-value: how often a calibrated model has as large an error; None if the error is within the limit.
    """
    error, limit = expected_calibration_error(outcome, probability), params.max_calibration_error
    if error <= limit:
        said = f"calibration error {error:.3f} is within {limit:g}"
        return Check("calibrated", True, error, limit, said, {"p_value": None})
    chance = np.concatenate(list(_errors_by_chance(probability, params.resamples, seed, customer)))
    # The sample is one of the draws if the model is calibrated (Davison and Hinkley, Bootstrap Methods, 1997, section 4.2).
    p_value = float((1 + np.sum(chance >= error - 1e-12)) / (1 + len(chance)))
    passed = p_value > 1 - params.confidence
    said = f"calibration error {error:.3f} is above {limit:g}, {'but not ' if passed else ''}beyond chance (p = {p_value:.3f})"
    return Check("calibrated", passed, error, limit, said, {"p_value": p_value})


def _errors_by_chance(probability: np.ndarray, draws: int, seed: int, customer: Customers | None) -> Iterator[np.ndarray]:
    """Give the calibration errors of outcomes that the model's own probabilities make, in pieces."""
    rng = np.random.default_rng(seed)
    rows = len(probability)
    bins = equal_bins(probability, 10)
    order = np.argsort(bins, kind="stable")
    starts = np.flatnonzero(np.diff(bins[order], prepend=-1))
    sure = probability[order]
    # One number for all rows of a customer, for who leaves does so once: that is the least that many rows can tell.
    who = np.arange(rows) if customer is None else np.unique(customer, return_inverse=True)[1]
    who, customers = who[order], int(who.max()) + 1
    piece = max(1, MAX_NUMBERS // rows)
    for first in range(0, draws, piece):
        lot = rng.random((min(piece, draws - first), customers))[:, who]
        yield np.abs(np.add.reduceat((lot < sure) - sure, starts, axis=1)).sum(axis=1) / rows
