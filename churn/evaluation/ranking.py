"""Labelled customers ranked by score: the basis of lift, gains, profit and every threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """Labelled customers by score, highest first; those of equal score are one group, as no threshold separates them.

    Attributes
    ----------
    scores : array of float, shape (n_groups,)
        Distinct churn probabilities, descending.
    customers, churners : arrays of int, shape (n_groups,)
        Number of customers with that score, and of churners among them.
    """

    scores: np.ndarray
    customers: np.ndarray
    churners: np.ndarray

    @property
    def total(self) -> int:
        """Return the number of customers."""
        return int(self.customers.sum())

    @property
    def contacted(self) -> np.ndarray:
        """Return the customers contacted with the first 0, 1, … all groups, shape (n_groups + 1,)."""
        return np.concatenate([[0], np.cumsum(self.customers)])

    @property
    def reached(self) -> np.ndarray:
        """Return the churners among the `contacted`, shape (n_groups + 1,)."""
        return np.concatenate([[0], np.cumsum(self.churners)])

    @property
    def cuts(self) -> np.ndarray:
        """Return the thresholds that contact exactly the first 0, 1, … all groups, shape (n_groups + 1,), descending, in [0, 1].

        Each is midway between two neighbouring scores, because a threshold on a score would depend on its last bit. Above the
        highest score the neighbour is 1 and below the lowest it is 0; only a score of exactly 1 cannot be left out.
        """
        above, below = np.concatenate([[1.0], self.scores]), np.concatenate([self.scores, [0.0]])
        middle = below + (above - below) / 2
        # Between neighbouring floats there is no middle.
        return np.where(middle > below, middle, above)

    def cut(self, groups: int) -> float:
        """Return the threshold that contacts exactly the first `groups` groups."""
        return float(self.cuts[groups])

    def gain(self, share: np.ndarray | float) -> np.ndarray:
        """Return the share of all churners among the given share of customers with the highest scores (cumulative gain).

        Where the share ends within a group, it is the mean over random choices in that group. NaN if nobody churned.

        Examples
        --------
        >>> float(rank(np.array([1, 0, 0, 0]), np.array([0.9, 0.2, 0.2, 0.1])).gain(0.25))
        1.0
        """
        churners = self.churners.sum()
        gains = self.reached / churners if churners else np.full(len(self.scores) + 1, np.nan)
        return np.asarray(np.interp(share, self.contacted / self.total, gains))


def rank(outcome: np.ndarray, probability: np.ndarray) -> Ranking:
    """Rank labelled customers.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)

    Returns
    -------
    Ranking
    """
    scores, group = np.unique(np.asarray(probability, dtype=np.float64), return_inverse=True)
    customers = np.bincount(group, minlength=len(scores))
    churners = np.bincount(group, weights=outcome, minlength=len(scores)).astype(np.int64)
    return Ranking(scores[::-1], customers[::-1], churners[::-1])
