"""What the comparison of a window with its reference found: size, p-value and impact of each test."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Aspect = Literal["values", "range", "missing", "relation", "dependence", "prediction", "slice"]


@dataclass(frozen=True, slots=True)
class DriftResult:
    """One comparison of the window with the reference.

    Attributes
    ----------
    aspect : {"values", "range", "missing", "relation", "dependence", "prediction", "slice"}
        What of the feature was compared: the values that are there, those outside the reference's range, those that are missing,
        a relation of the contract, how it hangs together with `other`, the model's answer, or of a group of customers, `other`,
        the model's answer or (of segments) the share.
    method : str
        The test, or "none" where there is nothing to compare: a constant column, or one side without values.
    statistic : float
        Distance of the two sides, from 0 (equal): for numbers the largest difference of mean scores, in standard deviations; for
        levels the total variation distance; for shares their difference; for dependence the difference of correlations.
    p_value : float
        How probable such a difference anywhere in this window (or a larger one) is without drift: adjusted for all comparisons.
    threshold : float
        A p-value at or below it is drift: the report's alpha.
    measure : str
        What `reference` and `current` are, with its unit: a mean, a share, or a rank correlation.
    reference, current, shift : float or None
        The measure on both sides and their difference; None where a side has no values.
    other : str or None
        The second column of a dependence; a group of customers.
    impact : float or None
        What the shift does to the mean log-odds of leaving: shift times weight. None where no model and no outcome is known.
    note : bool
        It drifted, but the model makes nothing of the column: worth knowing, and no alarm.
    known : bool
        It drifted, but an earlier run said so of the same customers, and it has not grown since: no alarm.
    standard_error : float or None
        Of the statistic, by chance; None where it is not needed.
    """

    feature: str
    aspect: Aspect
    method: str
    statistic: float
    p_value: float
    threshold: float
    drifted: bool
    measure: str
    reference: float | None
    current: float | None
    shift: float | None
    other: str | None = None
    impact: float | None = None
    note: bool = False
    known: bool = False
    standard_error: float | None = None

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What was compared, the same in each run: column, aspect, and the second column or the edge of the range."""
        return self.feature, self.aspect, self.measure if self.aspect == "range" else self.other

    @property
    def is_news(self) -> bool:
        """Whether it drifted, and no earlier run said so of the same customers."""
        return self.drifted and not self.known


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All comparisons of one window.

    Attributes
    ----------
    alpha : float
        Chance that a window without drift has any drifted result.
    p_value : float
        Of the window as a whole: how probable anything as surprising is without drift.
    tests : int
        How many comparisons could have come out either way.
    """

    alpha: float
    p_value: float
    tests: int
    rows: int
    reference_rows: int
    results: tuple[DriftResult, ...]

    @property
    def drifted(self) -> tuple[DriftResult, ...]:
        """The results that are drift, those that matter most to the model first, then the most surprising."""
        return tuple(sorted((r for r in self.results if r.drifted), key=lambda r: (r.note, -abs(r.impact or 0), r.p_value)))

    @property
    def news(self) -> tuple[DriftResult, ...]:
        """Drift that no earlier run said of the same customers, in the order of `drifted`."""
        return tuple(r for r in self.drifted if r.is_news)

    @property
    def known(self) -> tuple[DriftResult, ...]:
        """Drift that an earlier run said of the same customers, in the order of `drifted`."""
        return tuple(r for r in self.drifted if r.known)

    @property
    def notes(self) -> tuple[DriftResult, ...]:
        """Drift in columns that the model ignores."""
        return tuple(r for r in self.drifted if r.note)

    @property
    def alarm(self) -> bool:
        """Whether anything drifted that was not said before: true with probability alpha on a window without drift."""
        return bool(self.news)

    @property
    def covariate_alarm(self) -> bool:
        """Whether some feature drifted that the model makes use of."""
        return any(r.aspect != "prediction" and not r.note for r in self.news)

    @property
    def prediction_alarm(self) -> bool:
        """Whether the predicted probabilities drifted."""
        return any(r.aspect == "prediction" for r in self.news)

    @property
    def joint_alarm(self) -> bool:
        """Whether columns hang together in another way than they did."""
        return any(r.aspect in ("dependence", "relation") and not r.note for r in self.news)

    def as_dict(self) -> dict[str, Any]:
        """Return everything with the alarms, ready for JSON."""
        alarms = {name: getattr(self, name) for name in ("alarm", "covariate_alarm", "prediction_alarm", "joint_alarm")}
        return asdict(self) | alarms


def surprise(p_value: float) -> float:
    """Return -log10 of a p-value: how surprising it is, on a scale that can be drawn (0 to 300).

    Examples
    --------
    >>> surprise(0.001), surprise(0.0)
    (3.0, 300.0)
    """
    return round(-math.log10(max(p_value, 1e-300)), 9) + 0.0
