"""Concept drift as outcomes come in, one after the other: CUSUMs whose false-alarm rate is calibrated.

Each CUSUM (Page 1954, Biometrika 41:100) adds up how much better another world explains the outcomes than the model does, and
starts anew at zero: more customers leave than it says, fewer do, or its answers mean less than they did. The largest one decides.
Its threshold is that which the reference's own outcomes, made up from the model's recalibrated answers, cross within the horizon
with the probability that was asked for. The recalibration is itself only known so well: that noise is part of what is made up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitoring.performance.recalibration import Recalibration, logit, sigmoid

Floats = NDArray[np.float64]
HORIZON, RUNS, BLOCK, SEED = 5_000, 1_000, 50, 20_260_101
# A fifth of the rate is kept back: what is drawn is finite.
SAFETY = 0.8
# Looks that share a horizon.
LOOKS = 5
# Other worlds: what is added to the log-odds, and what they are multiplied by.
WORLDS = {
    "more leave than expected": ((0.5, 1.0), (1.0, 1.0)),
    "fewer leave than expected": ((-0.5, 1.0), (-1.0, 1.0)),
    "its answers mean less": ((0.0, 0.6), (0.0, 0.3)),
}
KINDS = tuple(name for name, worlds in WORLDS.items() for _ in worlds)
# Of a stream of errors: how many more of a hundred.
MORE_ERRORS = (0.05, 0.10)


@dataclass(frozen=True)
class State:
    """Where the CUSUMs stand. JSON-ready by `as_dict`.

    Attributes
    ----------
    sums : tuple of float
        Each at least 0.
    began : tuple of int
        Outcomes seen when each was last at zero.
    seen : int
        Outcomes in all.
    """

    sums: tuple[float, ...]
    began: tuple[int, ...]
    seen: int = 0

    @classmethod
    def start(cls, count: int) -> State:
        """Begin at zero."""
        return cls((0.0,) * count, (0,) * count)

    @classmethod
    def of(cls, document: dict[str, Any]) -> State:
        """Read what `as_dict` wrote."""
        return cls(tuple(document["sums"]), tuple(document["began"]), int(document["seen"]))

    def as_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class SequentialResult:
    """What the CUSUMs say after a look's outcomes.

    Attributes
    ----------
    statistic, threshold : float
        The largest CUSUM at its highest in this look, and what it must reach to alarm; in nats.
    kind : str
        What the leading CUSUM accuses the model of.
    calibrated : float
        The threshold for `horizon` outcomes; `threshold` is above it in looks at more of them at once.
    seen, began, alarmed_at : int
        Outcomes seen so far; how many of them before the change seems to have begun; at which the alarm came, or None.
    """

    alarm: bool
    statistic: float
    threshold: float
    kind: str
    seen: int
    began: int
    alarmed_at: int | None
    false_alarm_rate: float
    horizon: int
    calibrated: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return asdict(self)


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
    """

    threshold: float
    false_alarm_rate: float
    horizon: int
    recalibration: Recalibration | None = None
    error_rate: float = 0.0

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each CUSUM looks for."""
        return KINDS if self.recalibration is not None else ("errors more frequent",) * len(MORE_ERRORS)

    def start(self) -> State:
        """Begin at zero."""
        return State.start(len(self.kinds))

    def update(self, state: State, labelled: pd.DataFrame) -> tuple[State, SequentialResult]:
        """Take in labelled rows, in their order: columns churn_probability and churned."""
        if self.recalibration is None:
            raise ValueError("this detector takes errors")
        p, y = (labelled[name].to_numpy(dtype=np.float64) for name in ("churn_probability", "churned"))
        return self._advance(state, _ratios(logit(p), self.recalibration, y))

    def update_errors(self, state: State, errors: Floats) -> tuple[State, SequentialResult]:
        """Take in a stream of errors, each 0 or 1."""
        return self._advance(state, _error_ratios(errors, self.error_rate))

    def for_look(self, outcomes: int) -> Detector:
        """Give the detector for a look at so many outcomes at once.

        The rate is promised per look and for a fifth of the horizon; a longer look must not alarm more often. A CUSUM's
        false alarms fall by e for each nat of threshold (Lorden 1971, Ann. Math. Stat. 42:1897).
        """
        stretched = LOOKS * outcomes / self.horizon
        return replace(self, threshold=self.threshold + float(np.log(stretched))) if stretched > 1 else self

    def _advance(self, state: State, ratios: Floats) -> tuple[State, SequentialResult]:
        paths = _paths(ratios, np.array(state.sums))
        highest = paths.max(axis=1) if len(paths) else np.zeros(0)
        crossed = np.flatnonzero(highest >= self.threshold)
        place = int(crossed[0]) if crossed.size else (int(highest.argmax()) if highest.size else 0)
        leader = int(paths[place].argmax()) if len(paths) else int(np.argmax(state.sums))
        statistic = float(highest[place]) if highest.size else max(state.sums)
        began = _began(paths, state)
        seen = state.seen + len(paths)
        at_place = _began(paths[: place + 1], state)[leader] if len(paths) else state.began[leader]
        result = SequentialResult(
            alarm=bool(crossed.size),
            statistic=statistic,
            threshold=self.threshold,
            kind=self.kinds[leader],
            seen=seen,
            began=int(at_place),
            alarmed_at=state.seen + place + 1 if crossed.size else None,
            false_alarm_rate=self.false_alarm_rate,
            horizon=self.horizon,
        )
        if crossed.size:
            # What was said is said: the next alarm needs new evidence.
            return State((0.0,) * len(self.kinds), (seen,) * len(self.kinds), seen), result
        sums = tuple(paths[-1].tolist()) if len(paths) else state.sums
        return State(sums, tuple(began), seen), result


def _paths(ratios: Floats, start: Floats) -> Floats:
    """CUSUMs, shape (n, k): S_t = max(0, S_(t-1) + ratio_t)."""
    summed = start + np.cumsum(ratios, axis=0)
    return np.asarray(summed - np.minimum.accumulate(np.minimum(summed, 0.0), axis=0))


def _began(paths: Floats, state: State) -> list[int]:
    """Outcomes seen when each CUSUM was last at zero."""
    found = []
    for place in range(len(state.sums)):
        zeros = np.flatnonzero(paths[:, place] <= 0.0)
        found.append(int(state.seen + zeros[-1] + 1) if zeros.size else state.began[place])
    return found


def _ratios(z: Floats, fitted: Recalibration, y: Floats) -> Floats:
    """Log likelihood ratios of the other worlds to the model's, shape (n, k), in nats."""
    base = fitted.log_odds(z)
    q0 = np.clip(sigmoid(base), 1e-6, 1 - 1e-6)
    columns = []
    # What the model calls even odds is where its average customer is: answers that mean less shrink towards it.
    for add, times in (world for worlds in WORLDS.values() for world in worlds):
        q = np.clip(sigmoid(fitted.centre + (base - fitted.centre) * times + add), 1e-6, 1 - 1e-6)
        columns.append(np.where(y == 1, np.log(q / q0), np.log((1 - q) / (1 - q0))))
    return np.stack(columns, axis=1)


def _error_ratios(errors: Floats, rate: float) -> Floats:
    columns = []
    for more in MORE_ERRORS:
        other = min(rate + more, 1 - 1e-6)
        columns.append(np.where(errors == 1, np.log(other / rate), np.log((1 - other) / (1 - rate))))
    return np.stack(columns, axis=1)
