"""Customers in the order in which they would be contacted: what lift, gains, profit and every threshold are read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """Labelled customers by score, highest first; those of equal score are one group, as no threshold tells them apart.

    Attributes
    ----------
    scores : array of float, shape (n_groups,)
        Distinct churn probabilities, falling.
    customers, churners : arrays of int, shape (n_groups,)
        How many have that score, and how many of them churned.
    """

    scores: np.ndarray
    customers: np.ndarray
    churners: np.ndarray

    @property
    def total(self) -> int:
        """All customers."""
        return int(self.customers.sum())

    @property
    def contacted(self) -> np.ndarray:
        """Customers contacted with the first 0, 1, … all groups, shape (n_groups + 1,)."""
        return np.concatenate([[0], np.cumsum(self.customers)])

    @property
    def reached(self) -> np.ndarray:
        """Churners among the `contacted`, shape (n_groups + 1,)."""
        return np.concatenate([[0], np.cumsum(self.churners)])

    @property
    def cuts(self) -> np.ndarray:
        """Thresholds that contact exactly the first 0, 1, … all groups, shape (n_groups + 1,), falling, in [0, 1].

        Each is midway between two neighbouring scores, because a threshold on a score would turn on the last bit of it. Above the
        highest score the neighbour is 1 and below the lowest it is 0; only who has a score of exactly 1 can't be left out.
        """
        above, below = np.concatenate([[1.0], self.scores]), np.concatenate([self.scores, [0.0]])
        middle = below + (above - below) / 2
        # Between neighbouring floats there is no middle.
        return np.where(middle > below, middle, above)

    def cut(self, groups: int) -> float:
        """Give the threshold that contacts exactly the first `groups` groups."""
        return float(self.cuts[groups])

    def gain(self, share: np.ndarray | float) -> np.ndarray:
        """Tell which share of all churners is in the given share of customers with the highest scores.

        Where the share ends within a group, it is what a random choice in it gives on average. NaN if nobody churned.

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
    """
    scores, group = np.unique(np.asarray(probability, dtype=np.float64), return_inverse=True)
    customers = np.bincount(group, minlength=len(scores))
    churners = np.bincount(group, weights=outcome, minlength=len(scores)).astype(np.int64)
    return Ranking(scores[::-1], customers[::-1], churners[::-1])
