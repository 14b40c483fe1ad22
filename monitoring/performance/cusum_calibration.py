"""Calibrate the threshold of the CUSUMs for a wanted false-alarm rate.

Outcomes are drawn from the model's recalibrated answers on its reference. How well that recalibration is known is drawn, too. The
threshold is what the largest CUSUM crosses within the horizon with the wanted probability.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from monitoring.performance.alternatives import ERROR_RISES, KINDS, error_ratios, ratios_if_left_or_stayed
from monitoring.performance.cusum import HORIZON, RUNS_PER_HORIZON, Detector, SequentialResult, cusum_paths
from monitoring.performance.recalibration import Floats, Recalibration, logit
from monitoring.performance.score_selection import shares_of

# Simulated horizons, and how many of them share one drawing of the recalibration's noise.
SIMULATIONS, BLOCK, SEED = 1_000, 50, 20_260_101
# A fifth of the rate is kept back: the simulations are finite.
SAFETY = 0.8


def resume(
    last: SequentialResult | None,
    reference: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    false_alarm_rate: float,
    weights: Floats | None = None,
) -> SequentialResult:
    """Go on with the stream of one model version's outcomes.

    Parameters
    ----------
    last : SequentialResult or None
        Of the last monitoring run with outcomes. None: this is the first.
    reference, outcomes : pandas.DataFrame
        Columns churn_probability and churned; outcomes in the order in which they came. The reference may have the column share
        (`monitoring.performance.score_selection`): outcomes of who is named are missing, or were when the model was trained.
    false_alarm_rate : float
        In (0, 1): chance that one run alarms without drift. A threshold calibrated at this rate before is used again.
    weights : ndarray, shape (n_outcomes,), optional
        See `monitoring.performance.stream_weights`; None: each outcome is another customer's.

    Returns
    -------
    SequentialResult
        After these outcomes.
    """
    rate = RUNS_PER_HORIZON * false_alarm_rate
    mixed = shares_of(reference) is not None
    if last is not None and (last.false_alarm_rate, last.horizon, last.mixed) == (rate, HORIZON, mixed):
        detector = Detector(last.calibrated_threshold, rate, HORIZON, _recalibrated(reference))
    else:
        detector = calibrate(reference, false_alarm_rate=rate)
    state = last.state if last is not None else detector.start()
    if len(state.sums) != len(detector.kinds):
        state = replace(detector.start(), seen=state.seen)
    run = detector.for_run(len(outcomes) if weights is None else float(weights.sum()))
    return replace(run.update(state, outcomes, weights), mixed=mixed)


def calibrate(
    reference: pd.DataFrame,
    *,
    false_alarm_rate: float,
    horizon: int = HORIZON,
    simulations: int = SIMULATIONS,
    seed: int = SEED,
) -> Detector:
    """Make a detector for a model whose reference is known.

    Parameters
    ----------
    reference : pandas.DataFrame
        Columns churn_probability (out-of-fold) and churned, with both kinds of outcome; and share where some rows count for less.
    false_alarm_rate : float
        In (0, 1): chance of any alarm within `horizon` outcomes without drift.
    horizon : int
        Outcomes.
    simulations : int
        Simulated streams of `horizon` outcomes.
    seed : int
        Of the simulations.

    Returns
    -------
    Detector
        The same for the same input.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(1, 5, 2000)
    >>> reference = pd.DataFrame({"churn_probability": p, "churned": (rng.random(2000) < p) * 1.0})
    >>> detector = calibrate(reference, false_alarm_rate=0.05)
    >>> worse = pd.DataFrame({"churn_probability": p[:600], "churned": (rng.random(600) < 2 * p[:600]) * 1.0})
    >>> detector.update(detector.start(), worse).kind
    'more leave than expected'
    """
    rng = np.random.default_rng(seed)
    fitted = _recalibrated(reference)
    z = logit(reference["churn_probability"].to_numpy(dtype=np.float64))
    # Once for every customer of the reference, not once for each time one is drawn.
    ratios = np.concatenate(ratios_if_left_or_stayed(z, fitted))
    share, highest = shares_of(reference), []
    often = None if share is None else share / share.sum()
    for _ in range(-(-simulations // BLOCK)):
        for truth in fitted.draw(BLOCK, rng):
            rows = rng.integers(0, z.size, horizon) if often is None else rng.choice(z.size, horizon, p=often)
            left = rng.random(horizon) < truth.apply(z[rows])
            drawn = ratios.take(np.where(left, rows, rows + z.size), axis=0)
            highest.append(float(cusum_paths(drawn, np.zeros(len(KINDS))).max()))
    return Detector(_upper(highest, SAFETY * false_alarm_rate), false_alarm_rate, horizon, fitted)


def calibrate_errors(
    error_rate: float,
    *,
    false_alarm_rate: float = 0.05,
    horizon: int = HORIZON,
    reference_rows: int | None = None,
    simulations: int = SIMULATIONS,
    seed: int = SEED,
) -> Detector:
    """Make a detector for a stream of errors, each 0 or 1.

    Parameters
    ----------
    error_rate : float
        In (0, 1), of the reference.
    false_alarm_rate : float
        In (0, 1): chance of any alarm within `horizon` errors without drift.
    horizon : int
        Length of the stream.
    reference_rows : int, optional
        How many rows the rate was measured on; None: it is known exactly.
    simulations : int
        Simulated streams.
    seed : int
        Of the simulations.

    Returns
    -------
    Detector
        The same for the same input.
    """
    rng = np.random.default_rng(seed)
    highest = []
    for _ in range(simulations):
        rate = error_rate if reference_rows is None else rng.binomial(reference_rows, error_rate) / reference_rows
        errors = (rng.random(horizon) < rate).astype(np.float64)
        highest.append(float(cusum_paths(error_ratios(errors, error_rate), np.zeros(len(ERROR_RISES))).max()))
    return Detector(_upper(highest, SAFETY * false_alarm_rate), false_alarm_rate, horizon, error_rate=error_rate)


def _recalibrated(reference: pd.DataFrame) -> Recalibration:
    p, y = (reference[name].to_numpy(dtype=np.float64) for name in ("churn_probability", "churned"))
    return Recalibration.of(p, y, shares_of(reference))


def _upper(highest: list[float], rate: float) -> float:
    """Return a value that a share of at most `rate` exceeds, with 90 % certainty: an upper bound of the quantile.

    So many of the draws exceed it that it would be unlikely (10 %) to see as few, were the true share `rate`. With too few draws
    to tell, the largest is raised by what a CUSUM's exponential tail needs.
    """
    ordered = np.sort(highest)[::-1]
    above = int(stats.binom.ppf(0.1, ordered.size, rate))
    if above >= 1:
        return float(ordered[above - 1])
    return float(ordered[0] + np.log(1 / max(rate * ordered.size, 1e-9)) + 1.0) if rate * ordered.size < 1 else float(ordered[0])
