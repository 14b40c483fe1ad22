"""Thresholds of the CUSUM for a wanted number of runs between false alarms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from monitoring.performance.cusum import (
    BLOCK,
    HORIZON,
    KINDS,
    LOOKS,
    MORE_ERRORS,
    RUNS,
    SAFETY,
    SEED,
    Detector,
    SequentialResult,
    State,
    _error_ratios,
    _paths,
    _ratios,
)
from monitoring.performance.recalibration import Recalibration, logit


def resume(
    last: dict[str, Any] | None, reference: pd.DataFrame, outcomes: pd.DataFrame, *, false_alarm_rate: float
) -> tuple[State, SequentialResult]:
    """Go on with the stream of one model version's outcomes.

    Parameters
    ----------
    last : dict or None
        What the last look at outcomes left: a `SequentialResult.as_dict()` with `state`. None: this is the first.
    reference, outcomes : pandas.DataFrame
        Columns churn_probability and churned; outcomes in the order in which they came.
    false_alarm_rate : float
        Chance that one look alarms without drift. A threshold calibrated at this rate before is used again.
    """
    rate = LOOKS * false_alarm_rate
    if last and last.get("false_alarm_rate") == rate and last.get("horizon") == HORIZON:
        detector = Detector(float(last["calibrated"]), rate, HORIZON, _recalibrated(reference))
    else:
        detector = calibrate(reference, false_alarm_rate=rate)
    state = State.of(last["state"]) if last else detector.start()
    if len(state.sums) != len(detector.kinds):
        state = replace(detector.start(), seen=state.seen)
    state, result = detector.for_look(len(outcomes)).update(state, outcomes)
    return state, replace(result, calibrated=detector.threshold)


def _recalibrated(reference: pd.DataFrame) -> Recalibration:
    return Recalibration.of(*(reference[name].to_numpy(dtype=np.float64) for name in ("churn_probability", "churned")))


def calibrate(
    reference: pd.DataFrame, *, false_alarm_rate: float, horizon: int = HORIZON, runs: int = RUNS, seed: int = SEED
) -> Detector:
    """Make a detector for a model whose reference is known.

    Parameters
    ----------
    reference : pandas.DataFrame
        Columns churn_probability (out-of-fold) and churned, with both kinds of outcome.
    false_alarm_rate : float
        In (0, 1): chance of any alarm within `horizon` outcomes without drift.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(1, 5, 2000)
    >>> reference = pd.DataFrame({"churn_probability": p, "churned": (rng.random(2000) < p) * 1.0})
    >>> detector = calibrate(reference, false_alarm_rate=0.05)
    >>> worse = pd.DataFrame({"churn_probability": p[:600], "churned": (rng.random(600) < 2 * p[:600]) * 1.0})
    >>> detector.update(detector.start(), worse)[1].kind
    'more leave than expected'
    """
    rng = np.random.default_rng(seed)
    fitted = _recalibrated(reference)
    z = logit(reference["churn_probability"].to_numpy(dtype=np.float64))
    highest = []
    for _ in range(-(-runs // BLOCK)):
        for truth in fitted.drawn(BLOCK, rng):
            row = z[rng.integers(0, z.size, horizon)]
            made_up = (rng.random(horizon) < truth.apply(row)).astype(np.float64)
            highest.append(float(_paths(_ratios(row, fitted, made_up), np.zeros(len(KINDS))).max()))
    return Detector(_upper(highest, SAFETY * false_alarm_rate), false_alarm_rate, horizon, fitted)


def calibrate_errors(
    error_rate: float,
    *,
    false_alarm_rate: float = 0.05,
    horizon: int = HORIZON,
    reference_rows: int | None = None,
    runs: int = RUNS,
    seed: int = SEED,
) -> Detector:
    """Make a detector for a stream of errors, each 0 or 1.

    Parameters
    ----------
    error_rate : float
        In (0, 1), of the reference.
    reference_rows : int, optional
        How many rows that rate was measured on; None: it is known.
    """
    rng = np.random.default_rng(seed)
    highest = []
    for _ in range(runs):
        rate = error_rate if reference_rows is None else rng.binomial(reference_rows, error_rate) / reference_rows
        errors = (rng.random(horizon) < rate).astype(np.float64)
        highest.append(float(_paths(_error_ratios(errors, error_rate), np.zeros(len(MORE_ERRORS))).max()))
    return Detector(_upper(highest, SAFETY * false_alarm_rate), false_alarm_rate, horizon, error_rate=error_rate)


def _upper(highest: list[float], rate: float) -> float:
    """Give a value that a share of at most `rate` exceeds, with 90 % certainty: an upper bound of the quantile.

    So many of the draws exceed it that it would be unlikely (10 %) to see as few, were the true share `rate`. Where there
    are too few draws to say so, the largest is raised by what a CUSUM's exponential tail needs.
    """
    ordered = np.sort(highest)[::-1]
    above = int(stats.binom.ppf(0.1, ordered.size, rate))
    if above >= 1:
        return float(ordered[above - 1])
    return float(ordered[0] + np.log(1 / max(rate * ordered.size, 1e-9)) + 1.0) if rate * ordered.size < 1 else float(ordered[0])
