"""Numbers as scores of their rank in the reference: what every test of numbers, and of what hangs together, is a mean of.

A value becomes its mid-rank u in the reference, from 0 to 1, and u becomes a few Legendre polynomials: where the values are, how
wide they lie, how skewed and how heavy their tails are (Neyman's smooth test: Neyman 1937, Skandinavisk Aktuarietidskrift
20:149; Rayner and Best 1989, Smooth Tests of Goodness of Fit). The mean of the first is the Mann-Whitney statistic. Last comes
the value itself, as far as all but a thousandth of the reference goes: of counts, whose ranks are mostly ties, it sees more.
Scores are bounded: no outlier, however wild, spoils a mean, and one million rows are summed in a pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]
# Location, spread, skewness, tails.
ORDERS = 4
WINSORISED = 0.001
# A score whose standard deviation on the reference is smaller is the same for everybody, but for rounding.
MIN_SPREAD = 1e-6


@dataclass(frozen=True)
class RankScores:
    """The scores of one column, fitted to the reference.

    Attributes
    ----------
    values : ndarray, shape (n_distinct,)
        The reference's distinct values, ascending.
    table : ndarray of float32, shape (2 * n_distinct + 1, n_scores)
        Scores of each position: below the first value, at it, between it and the second, and so on. Over the
        reference each score has mean 0 and standard deviation 1.
    """

    values: Floats
    table: Scores

    @classmethod
    def of(cls, column: Floats, orders: int = ORDERS) -> RankScores | None:
        """Fit the scores to a column.

        Parameters
        ----------
        column : ndarray, shape (n,)
            The reference's values, missing as NaN.
        orders : int
            Polynomials: 1 is location alone, 4 adds spread, skewness and tails.

        Returns
        -------
        RankScores or None
            None where there are no two distinct values.

        Examples
        --------
        >>> scores = RankScores.of(np.arange(100.0))
        >>> (scores.of_column(np.array([-5.0, 49.5, 500.0, np.nan]))[:, 0].astype(float).round(2) + 0.0).tolist()
        [-1.73, 0.0, 1.73, 0.0]
        """
        values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
        if values.size < 2:
            return None
        below = np.concatenate([[0], np.cumsum(counts)])
        ranks = np.empty(2 * values.size + 1)
        ranks[0::2] = below / below[-1]
        ranks[1::2] = (below[:-1] + below[1:]) / 2 / below[-1]
        # Two values have a location and nothing else; three have a spread, too.
        wanted = min(orders, values.size - 1)
        low, high = np.interp([WINSORISED, 1 - WINSORISED], ranks[1::2], values)
        between = np.concatenate([values[:1], (values[:-1] + values[1:]) / 2, values[-1:]])
        clipped = np.clip(np.concatenate([np.stack([between[:-1], values], axis=1).ravel(), between[-1:]]), low, high)
        table = np.column_stack([legendre.legvander(2 * ranks - 1, wanted)[:, 1:], clipped / max(abs(low), abs(high), 1e-300)])
        weights = counts / counts.sum()
        table -= weights @ table[1::2]
        spread = np.sqrt(weights @ table[1::2] ** 2)
        # Of few values some scores are the same everywhere: they tell nothing.
        table = table[:, spread > MIN_SPREAD] / spread[spread > MIN_SPREAD]
        return cls(values, np.ascontiguousarray(table, dtype=np.float32)) if table.shape[1] else None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each score measures: location (the first and the last) or shape."""
        count = self.table.shape[1]
        return tuple("location" if place in (0, count - 1) else "shape" for place in range(count))

    @property
    def pair_orders(self) -> int:
        """How many of the scores, from the first, take part in pairs: location, and spread if there is one."""
        return 2 if self.table.shape[1] > 2 else 1

    def of_column(self, column: Floats) -> Scores:
        """Return the scores of values, shape (n,) to (n, n_scores); 0, the reference's mean, where a value is missing."""
        place = np.searchsorted(self.values, column)
        found = self.values[np.minimum(place, self.values.size - 1)] == column
        scores = self.table[2 * place + found]
        missing = np.isnan(column)
        if missing.any():
            scores[missing] = 0.0
        return np.asarray(scores)
