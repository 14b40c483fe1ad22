"""A cohort: predictions of some time, and whether the outcomes that are known of them can be taken for those of all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# By so much more of the known outcomes may be of leavers than the model said, where of most predictions nothing is known.
MAX_EXCESS = 0.1
LEAVERS_ONLY = (
    "they seem to be told of those who left only, so no outcome counts: report those who stayed too, once that is certain"
)


class Cohort(NamedTuple):
    """Predictions of some time.

    Attributes
    ----------
    predictions : int
    labelled : int
        How many of them have an outcome.
    """

    predictions: int = 0
    labelled: int = 0

    @property
    def unknown(self) -> int:
        """How many have no outcome: neither left nor stayed."""
        return self.predictions - self.labelled

    def told_of_leavers(self, left: NDArray[np.float64], probability: NDArray[np.float64]) -> bool:
        """Return whether its outcomes seem to be told of those who left, and hardly of those who stayed.

        That is so if most predictions have no outcome, most outcomes are of leavers, and by a tenth more of them than was
        predicted. Then nothing can be learned from them: a model would take it that almost everybody leaves. Outcomes of
        customers whom a model named may be of leavers mostly, too, but are no more than was predicted.

        Parameters
        ----------
        left : numpy.ndarray of float64, shape (n,)
            The known outcomes, each 0 or 1; NaN counts as none.
        probability : numpy.ndarray of float64, shape (n,)
            What their predictions said, in [0, 1].

        Returns
        -------
        bool

        Examples
        --------
        >>> Cohort(1_000, 160).told_of_leavers(np.array([1.0] * 8 + [0.0] * 2), np.full(10, 0.5))
        True
        >>> Cohort(1_000, 990).told_of_leavers(np.array([1.0] * 8 + [0.0] * 2), np.full(10, 0.5))
        False
        """
        known = ~np.isnan(left)
        return bool(known.any()) and self.seems_of_leavers(float(left[known].mean()), float(probability[known].mean()))

    def seems_of_leavers(self, rate: float, expected: float) -> bool:
        """Return the same as `told_of_leavers`, by two shares.

        Parameters
        ----------
        rate : float
            The share of the known outcomes that are of leavers, in [0, 1].
        expected : float
            The share that was predicted of them, in [0, 1].

        Returns
        -------
        bool
        """
        return 2 * self.unknown > self.predictions and rate > 0.5 and rate - expected > MAX_EXCESS

    def __str__(self) -> str:
        """Return both in words, with the share."""
        share = self.unknown / self.predictions if self.predictions else 0.0
        return f"{self.unknown:,} of {self.predictions:,} mature predictions ({share:.1%}) have no outcome, and are left aside"
