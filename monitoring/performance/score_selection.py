"""Which answers a window has outcomes of, where campaigns took some away: the reference is compared by the same mix.

That outcomes follow the answers *given the customer* does not depend on who is in the sample. That a model is a little off does:
who is named is often named too surely, who is not too seldom, and over all customers both cancel out. A window without most of
the named has only one of the two, and would alarm against a reference that has both. So each of the reference's rows counts for
the share of its like that the window kept (post-stratification by score; Holt and Smith, JRSS A 142:33, 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from churn.evaluation.weights import WEIGHT

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
SHARE = "share"
# Groups of scores on each side of the threshold, and the least that one has.
MAX_GROUPS, MIN_GROUP = 5, 20


@dataclass(frozen=True)
class ScoreSelection:
    """Of each group of scores, the share whose outcomes a window kept.

    Attributes
    ----------
    edges : ndarray, shape (k - 1,)
        Ascending; who is at an edge is above it.
    shares : ndarray, shape (k,)
        In [0, 1].
    """

    edges: Floats
    shares: Floats

    @classmethod
    def of(cls, probability: Floats, kept: NDArray[np.bool_], threshold: float) -> ScoreSelection:
        """Count what was kept of the outcomes that came.

        Parameters
        ----------
        probability : ndarray, shape (n,)
            What their predictions said, n > 0.
        kept : ndarray of bool, shape (n,)
            Whether one may learn from it.
        threshold : float
            Who is at or above it is named.

        Returns
        -------
        ScoreSelection

        Examples
        --------
        >>> p = np.repeat([0.1, 0.7], 40)
        >>> ScoreSelection.of(p, (p < 0.5) | (np.arange(80) % 10 == 0), 0.5).shares_of(np.array([0.2, 0.9])).tolist()
        [1.0, 0.1]
        """
        sides = probability[probability < threshold], probability[probability >= threshold]
        edges = np.unique(np.concatenate([_quantiles(sides[0]), [threshold], _quantiles(sides[1])]))
        group = np.searchsorted(edges, probability, side="right")
        size = np.bincount(group, minlength=edges.size + 1)
        # Of who did not come at all nothing was taken away.
        shares = np.where(size > 0, np.bincount(group, weights=kept, minlength=edges.size + 1) / np.maximum(size, 1), 1.0)
        return cls(edges, shares)

    def shares_of(self, probability: Floats) -> Floats:
        """Return the share that was kept of the like of each answer, shape (n,)."""
        return np.asarray(self.shares[np.searchsorted(self.edges, probability, side="right")])


def by_window(reference: pd.DataFrame, selection: ScoreSelection | None) -> pd.DataFrame:
    """Return a reference whose rows count as a window has their like.

    Parameters
    ----------
    reference : pandas.DataFrame, shape (n, m)
        Column churn_probability; and weight where some of its rows stand for others, whom campaigns took away.
    selection : ScoreSelection or None
        What the window kept; None: everything.

    Returns
    -------
    pandas.DataFrame, shape (n, m) or (n, m + 1)
        With the column share; the same frame where each row counts once. A frame of which nothing counts has no rows.
    """
    share = np.ones(len(reference))
    if WEIGHT in reference:
        share = np.nan_to_num(reference[WEIGHT].to_numpy(dtype=np.float64), nan=1.0)
    if selection is not None:
        share = share * selection.shares_of(reference["churn_probability"].to_numpy(dtype=np.float64))
    if (share == 1).all():
        return reference
    return reference.assign(**{SHARE: share}) if share.any() else reference.iloc[:0]


def shares_of(rows: pd.DataFrame) -> Floats | None:
    """Return what each row counts for, shape (n,); None if each counts once."""
    return rows[SHARE].to_numpy(dtype=np.float64) if SHARE in rows and rows[SHARE].any() else None


def _quantiles(probability: Floats) -> Floats:
    groups = max(1, min(MAX_GROUPS, probability.size // MIN_GROUP))
    return np.quantile(probability, np.arange(1, groups) / groups) if groups > 1 else np.empty(0)
