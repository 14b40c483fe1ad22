"""Concept drift in the stream of outcomes: a bank of CUSUMs whose false-alarm rate is calibrated.

Each CUSUM (Page 1954, Biometrika 41:100) adds up the log-likelihood ratios of one alternative and restarts at zero. The
alternatives: more customers leave than the model expects, fewer do, or its answers mean less than they did. The largest CUSUM
decides. Its threshold is calibrated on outcomes drawn from the recalibrated model
(`monitoring.performance.cusum_calibration`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from monitoring.performance.alternatives import ERROR_RISES, KINDS, error_ratios, outcome_ratios
from monitoring.performance.recalibration import Floats, Recalibration, logit

if TYPE_CHECKING:
    import pandas as pd

# Outcomes within which the false-alarm rate of a detector holds, and monitoring runs that share them.
HORIZON, RUNS_PER_HORIZON = 5_000, 5


@dataclass(frozen=True, slots=True)
class CusumState:
    """Where the CUSUMs stand between two monitoring runs.

    Attributes
    ----------
    sums : tuple of float
        Each at least 0, in nats.
    last_zero : tuple of int
        Outcomes seen when each CUSUM was last at zero.
    seen : int
        Outcomes in all.
    """

    sums: tuple[float, ...]
    last_zero: tuple[int, ...]
    seen: int = 0

    @classmethod
    def start(cls, count: int) -> CusumState:
        """Return the state before the first outcome."""
        return cls((0.0,) * count, (0,) * count)


@dataclass(frozen=True, slots=True)
class SequentialResult:
    """What the CUSUMs show after the outcomes of a monitoring run.

    Attributes
    ----------
    statistic, threshold : float
        The largest CUSUM at its highest in this run, and what it must reach to alarm; in nats.
    kind : str
        The alternative of the leading CUSUM.
    seen : int
        Outcomes seen so far.
    change_point : int
        How many of them came before the change seems to have begun.
    alarmed_at : int or None
        The outcome at which the alarm came.
    false_alarm_rate : float
        Chance of any alarm within `horizon` outcomes without drift.
    state : CusumState
        Where the next run goes on.
    calibrated_threshold : float
        The threshold for `horizon` outcomes; `threshold` is above it in runs with many outcomes.
    mixed : bool
        Whether it is calibrated on a part of the reference's answers, as campaigns left of the window's.
    """

    alarm: bool
    statistic: float
    threshold: float
    kind: str
    seen: int
    change_point: int
    alarmed_at: int | None
    false_alarm_rate: float
    horizon: int
    state: CusumState
    calibrated_threshold: float
    mixed: bool = False


@dataclass(frozen=True)
class Detector:
    """CUSUMs with a calibrated threshold.

    Attributes
    ----------
    threshold : float
        In nats.
    false_alarm_rate : float
        Chance of any alarm within `horizon` outcomes without drift.
    recalibration : Recalibration or None
        Of the model's answers; None for a stream of errors.
    error_rate : float
        Of a stream of errors.
    raised_by : float
        By how much the threshold of a long run is above the calibrated one, in nats.
    """

    threshold: float
    false_alarm_rate: float
    horizon: int
    recalibration: Recalibration | None = None
    error_rate: float = 0.0
    raised_by: float = 0.0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The alternative of each CUSUM."""
        return KINDS if self.recalibration is not None else ("errors more frequent",) * len(ERROR_RISES)

    def start(self) -> CusumState:
        """Return the state before the first outcome."""
        return CusumState.start(len(self.kinds))

    def update(self, state: CusumState, labelled: pd.DataFrame, weights: Floats | None = None) -> SequentialResult:
        """Take in labelled rows.

        Parameters
        ----------
        state : CusumState
            Where the last run left the CUSUMs.
        labelled : pandas.DataFrame
            Columns churn_probability and churned, in the order in which the outcomes came.
        weights : ndarray, shape (n,), optional
            What each outcome adds, in [0, 1]; None: each is another customer's, and weighs one.

        Returns
        -------
        SequentialResult
            With the state for the next run.

        Raises
        ------
        ValueError
            If this detector is one for a stream of errors.
        """
        if self.recalibration is None:
            raise ValueError("this detector takes errors")
        p, y = (labelled[name].to_numpy(dtype=np.float64) for name in ("churn_probability", "churned"))
        ratios = outcome_ratios(logit(p), self.recalibration, y)
        return self._advance(state, ratios if weights is None else ratios * weights[:, np.newaxis])

    def update_errors(self, state: CusumState, errors: Floats) -> SequentialResult:
        """Take in a stream of errors.

        Parameters
        ----------
        state : CusumState
            Where the stream stood before.
        errors : ndarray, shape (n,)
            Each 0 or 1.

        Returns
        -------
        SequentialResult
            With the state after these errors.
        """
        return self._advance(state, error_ratios(errors, self.error_rate))

    def for_run(self, outcomes: float) -> Detector:
        """Return the detector for a monitoring run with so many outcomes of different customers at once.

        The rate holds per run, for a fifth of the horizon; a longer run must not alarm more often. A CUSUM's false alarms fall by
        e for each nat of threshold (Lorden 1971, Ann. Math. Stat. 42:1897).
        """
        stretched = RUNS_PER_HORIZON * outcomes / self.horizon
        return replace(self, raised_by=float(np.log(stretched))) if stretched > 1 else self

    def _advance(self, state: CusumState, ratios: Floats) -> SequentialResult:
        threshold = self.threshold + self.raised_by
        paths = cusum_paths(ratios, np.array(state.sums))
        highest = paths.max(axis=1) if len(paths) else np.zeros(0)
        crossed = np.flatnonzero(highest >= threshold)
        place = int(crossed[0]) if crossed.size else (int(highest.argmax()) if highest.size else 0)
        leader = int(paths[place].argmax()) if len(paths) else int(np.argmax(state.sums))
        seen = state.seen + len(paths)
        if crossed.size:
            # The evidence of this alarm is spent: the next one needs new evidence.
            after = CusumState((0.0,) * len(self.kinds), (seen,) * len(self.kinds), seen)
        else:
            after = CusumState(tuple(paths[-1].tolist()) if len(paths) else state.sums, _last_zero(paths, state), seen)
        return SequentialResult(
            alarm=bool(crossed.size),
            statistic=float(highest[place]) if highest.size else max(state.sums),
            threshold=threshold,
            kind=self.kinds[leader],
            seen=seen,
            change_point=_last_zero(paths[: place + 1], state)[leader],
            alarmed_at=state.seen + place + 1 if crossed.size else None,
            false_alarm_rate=self.false_alarm_rate,
            horizon=self.horizon,
            state=after,
            calibrated_threshold=self.threshold,
        )


def cusum_paths(ratios: Floats, start: Floats) -> Floats:
    """Return the path of each CUSUM: S_t = max(0, S_(t-1) + ratio_t).

    Parameters
    ----------
    ratios : ndarray, shape (n, k)
        Log-likelihood ratios, in nats.
    start : ndarray, shape (k,)
        Where each CUSUM stands before.

    Returns
    -------
    ndarray, shape (n, k)
        Each at least 0.
    """
    # One CUSUM after the other in memory: NumPy accumulates along a row several times as fast as down a column.
    summed = start[:, np.newaxis] + np.cumsum(np.ascontiguousarray(ratios.T), axis=1)
    return np.asarray(summed - np.minimum.accumulate(np.minimum(summed, 0.0), axis=1)).T


def _last_zero(paths: Floats, state: CusumState) -> tuple[int, ...]:
    """Return the outcomes seen when each CUSUM was last at zero."""
    found = []
    for place in range(len(state.sums)):
        zeros = np.flatnonzero(paths[:, place] <= 0.0)
        found.append(int(state.seen + zeros[-1] + 1) if zeros.size else state.last_zero[place])
    return tuple(found)
