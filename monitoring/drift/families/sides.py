"""A window beside its reference: what every family of comparisons reads, and how its results are made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from churn.contract import Column
from monitoring.drift.columns import PROBABILITY
from monitoring.drift.profile import ReferenceProfile
from monitoring.drift.rank_scores import Floats
from monitoring.drift.results import Aspect, DriftResult
from monitoring.drift.sums import Sums

# From so many rows of the reference on its own spread is known well enough.
MANY_ROWS = 10_000


@dataclass(frozen=True)
class Sides:
    """One window and the profile that it is compared with.

    Attributes
    ----------
    window : Sums
        Of the window, by this profile.
    alpha : float
        In (0, 1): the chance of any alarm on a window without drift.
    """

    profile: ReferenceProfile
    window: Sums
    alpha: float

    @property
    def reference(self) -> Sums:
        """The reference's own sums."""
        return self.profile.sums

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to compare."""
        return self.window.rows > 0 and self.reference.rows > 0

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The contract's features by name."""
        return {column.name: column for column in self.profile.contract.features}

    @cached_property
    def known(self) -> set[str]:
        """Columns that both sides have."""
        return (self.reference.columns & self.window.columns) & (set(self.columns) | {PROBABILITY})

    @cached_property
    def absent(self) -> set[str]:
        """Scored columns without a use here: not in the window, or without a value in it."""
        scored = self.profile.numbers | self.profile.flags
        return {name for name in scored if name not in self.known or not self.window.present[name]}

    @cached_property
    def score_owners(self) -> np.ndarray:
        """The column of each score of a number, in order."""
        return np.array(self.profile.score_columns)

    def as_normal(self, z: Floats, rows: Floats | None = None) -> Floats:
        """Return z values as they count where few rows gave the spread: values of Student's t as normal ones of the same tail.

        Parameters
        ----------
        z : ndarray, shape (n_tests,)
            Each at least 0.
        rows : ndarray, shape (n_tests,), optional
            How many rows of the reference gave the spread of each; all of them by default.

        Returns
        -------
        ndarray, shape (n_tests,)
        """
        if rows is None:
            if self.reference.rows >= MANY_ROWS:
                return z
            rows = np.full(z.shape, float(self.reference.rows))
        return np.asarray(np.where(rows >= MANY_ROWS, z, stats.norm.isf(stats.t.sf(z, np.maximum(rows / 2, 1)))))

    def result(
        self,
        name: str,
        aspect: Aspect,
        method: str,
        *,
        statistic: float,
        p_value: float,
        measure: str,
        values: tuple[float | None, float | None],
        other: str | None = None,
    ) -> DriftResult:
        """Make the result of one comparison.

        Parameters
        ----------
        name : str
            The column.
        aspect : str
            What of it was compared; see `DriftResult`.
        method : str
            The test, or "none".
        statistic : float
            How far apart the sides are, from 0.
        p_value : float
            In [0, 1], adjusted for all comparisons.
        measure : str
            What `values` are.
        values : tuple of float or None
            The measure in the reference and in the window; None where a side has none.
        other : str, optional
            The second column of a dependence.

        Returns
        -------
        DriftResult
            Without its impact.
        """
        # Plain ones: a number of NumPy's would make `shift > 0` one that no JSON holds.
        before, now = (None if value is None else float(value) for value in values)
        return DriftResult(
            feature=name,
            aspect=aspect,
            method=method,
            statistic=float(statistic),
            p_value=float(p_value),
            threshold=self.alpha,
            drifted=bool(p_value <= self.alpha),
            measure=measure,
            reference=before,
            current=now,
            shift=None if before is None or now is None else now - before,
            other=other,
        )
