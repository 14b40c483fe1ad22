"""Log-likelihood ratios: how much better an alternative explains each outcome than the model does."""

from __future__ import annotations

import numpy as np

from monitoring.performance.recalibration import Floats, Recalibration, sigmoid

# What each alternative adds to the log-odds, and what it multiplies them by.
ALTERNATIVES = {
    "more leave than expected": ((0.5, 1.0), (1.0, 1.0)),
    "fewer leave than expected": ((-0.5, 1.0), (-1.0, 1.0)),
    "its answers mean less": ((0.0, 0.6), (0.0, 0.3)),
}
KINDS = tuple(name for name, changes in ALTERNATIVES.items() for _ in changes)
# Alternatives for a stream of errors: the rise of the error rate.
ERROR_RISES = (0.05, 0.10)
SMALLEST = 1e-6


def outcome_ratios(z: Floats, fitted: Recalibration, y: Floats) -> Floats:
    """Return the log-likelihood ratio of every alternative to the recalibrated model, for every outcome.

    Parameters
    ----------
    z : ndarray, shape (n,)
        The model's answers as log-odds.
    fitted : Recalibration
        Of the reference.
    y : ndarray, shape (n,)
        Outcomes, each 0 or 1.

    Returns
    -------
    ndarray, shape (n, n_alternatives)
        In nats, in the order of `KINDS`.
    """
    return np.where((y == 1)[:, np.newaxis], *ratios_if_left_or_stayed(z, fitted))


def ratios_if_left_or_stayed(z: Floats, fitted: Recalibration) -> tuple[Floats, Floats]:
    """Return the log-likelihood ratios of every alternative for both outcomes that a customer may have.

    Parameters
    ----------
    z : ndarray, shape (n,)
        The model's answers as log-odds.
    fitted : Recalibration
        Of the reference.

    Returns
    -------
    tuple of ndarray, shape (n, n_alternatives) each
        In nats, in the order of `KINDS`: if the customer left, and if not.
    """
    base = fitted.log_odds(z)
    q0 = _clipped(sigmoid(base))
    left, stayed = [], []
    # Answers that mean less shrink towards the log-odds of the average customer.
    for add, times in (change for changes in ALTERNATIVES.values() for change in changes):
        q = _clipped(sigmoid(fitted.centre + (base - fitted.centre) * times + add))
        left.append(np.log(q / q0))
        stayed.append(np.log((1 - q) / (1 - q0)))
    return np.stack(left, axis=1), np.stack(stayed, axis=1)


def error_ratios(errors: Floats, rate: float) -> Floats:
    """Return the log-likelihood ratio of every risen error rate to the usual one, for every error.

    Parameters
    ----------
    errors : ndarray, shape (n,)
        Each 0 or 1.
    rate : float
        The usual error rate, in (0, 1).

    Returns
    -------
    ndarray, shape (n, n_alternatives)
        In nats, in the order of `ERROR_RISES`.
    """
    columns = []
    for more in ERROR_RISES:
        other = min(rate + more, 1 - SMALLEST)
        columns.append(np.where(errors == 1, np.log(other / rate), np.log((1 - other) / (1 - rate))))
    return np.stack(columns, axis=1)


def _clipped(p: Floats) -> Floats:
    return np.clip(p, SMALLEST, 1 - SMALLEST)
