"""How well a single column tells who left, by the simplest rules: one that does so (nearly) always may be a leak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Fewer customers prove no leak.
MIN_ROWS = 100
# So many customers a value, at least: else a column tells who is who, and the outcome only through that.
ROWS_A_VALUE = 5
# A column nearly tells the outcome if it is wrong of fewer rows than this share of the rarer outcome's. (A flag that is noted
# down wrongly for 1 % of the customers, where 5 % leave, is wrong of a fifth.)
NEARLY = 0.25
# A column gives leavers away if so large a share of them has values that at most so large a share of the others with these
# values does not: what was noted down of some who left, and of nobody else. Values of fewer customers prove nothing.
GIVEN_AWAY, MAX_STAYED, VALUE_ROWS = 0.25, 0.01, 20


def rows_told_wrong(values: pd.Series, left: NDArray[np.bool_]) -> int | None:
    """Count the rows of which a column says the wrong outcome.

    It says that by its values, by one cut between them, or by having a value at all: the best of these rules counts. A missing
    value is a value among the others.

    Parameters
    ----------
    values : pandas.Series, shape (n,)
    left : array of bool, shape (n,)

    Returns
    -------
    int or None
        None where too few customers, of all or of an outcome, prove anything.

    Examples
    --------
    >>> left = np.array([False, True] * 60)
    >>> rows_told_wrong(pd.Series([0.0, 1.0] * 60), left), rows_told_wrong(pd.Series([5.0, 1.0] * 59 + [1.0, 1.0]), left)
    (0, 1)
    """
    rows, leavers = len(values), int(left.sum())
    if rows < MIN_ROWS or min(leavers, rows - leavers) < MIN_ROWS / 10:
        return None
    known = values.notna().to_numpy()
    told = [_fewer(known == left)]
    numeric = pd.api.types.is_numeric_dtype(values)
    if numeric and known.any():
        told.append(_by_cut(values.to_numpy(dtype=np.float64)[known], left[known]) + _fewer(left[~known]))
    if 2 <= values.nunique() <= known.sum() / ROWS_A_VALUE:
        level, _ = pd.factorize(values if numeric else values.to_numpy(dtype=object))
        there = np.bincount(level + 1)
        gone = _count(level + 1, left)
        told.append(int(np.minimum(gone, there - gone).sum()))
    return min(told)


def tells_outcome(values: pd.Series, left: NDArray[np.bool_]) -> bool:
    """Tell whether a column says exactly who left, see `rows_told_wrong`.

    Parameters
    ----------
    values : pandas.Series, shape (n,)
    left : array of bool, shape (n,)

    Returns
    -------
    bool
    """
    return rows_told_wrong(values, left) == 0


def nearly_tells_outcome(wrong: int | None, left: NDArray[np.bool_]) -> bool:
    """Tell whether so many rows told wrong are so few that the column may be a leak, though not in every row.

    Parameters
    ----------
    wrong : int or None
        From `rows_told_wrong`.
    left : array of bool, shape (n,)

    Returns
    -------
    bool
    """
    return wrong is not None and 0 < wrong < NEARLY * min(left.sum(), (~left).sum())


def leavers_given_away(values: pd.Series, left: NDArray[np.bool_]) -> int:
    """Count the leavers who have values, or a range of them, that (nearly) nobody who stayed has: the result of a retention call.

    Parameters
    ----------
    values : pandas.Series, shape (n,)
    left : array of bool, shape (n,)

    Returns
    -------
    int
        0 where they are fewer than a quarter of the leavers, or too few customers prove anything.

    Examples
    --------
    >>> left = np.array([True] * 60 + [False] * 140)
    >>> leavers_given_away(pd.Series(["refused"] * 40 + [None] * 160), left), leavers_given_away(pd.Series(range(200)), left)
    (40, 60)
    """
    rows, leavers = len(values), int(left.sum())
    if rows < MIN_ROWS or min(leavers, rows - leavers) < MIN_ROWS / 10:
        return 0
    max_stayed = min(MAX_STAYED, (rows - leavers) / rows / 10)

    def given_away(there: NDArray[np.int64], gone: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the leavers of each group; 0 of those that are small, or in which more than a few stayed."""
        return np.where((there >= VALUE_ROWS) & (there - gone <= max_stayed * there), gone, 0)

    known = values.notna().to_numpy()
    # Whoever has a value, and whoever has none.
    most = [given_away(np.bincount(known), _count(known, left)).max()]
    numeric = pd.api.types.is_numeric_dtype(values)
    if numeric and known.any():
        cuts, gone = _cuts(values.to_numpy(dtype=np.float64)[known], left[known])
        below, all_known = gone[cuts], int(known.sum())
        most += [given_away(cuts, below).max(), given_away(all_known - cuts, gone[-1] - below).max()]
    if 2 <= values.nunique() <= known.sum() / ROWS_A_VALUE:
        level, _ = pd.factorize(values[known] if numeric else values[known].to_numpy(dtype=object))
        most.append(given_away(np.bincount(level), _count(level, left[known])).sum())
    return int(max(most)) if max(most) >= GIVEN_AWAY * leavers else 0


def _count(group: NDArray[Any], left: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many customers of each group left."""
    return np.bincount(group, weights=left).astype(np.int64)


def _fewer(said: NDArray[np.bool_]) -> int:
    """Return how often the rarer of two answers is given: what a rule gets wrong, or its opposite."""
    return int(min(said.sum(), (~said).sum()))


def _by_cut(values: NDArray[np.float64], left: NDArray[np.bool_]) -> int:
    """Return how many rows the best cut gets wrong, if those above it are said to have left, or to have stayed."""
    cuts, gone = _cuts(values, left)
    wrong = gone[cuts] + (len(values) - cuts) - (gone[-1] - gone[cuts])
    return int(min(wrong.min(), len(values) - wrong.max()))


def _cuts(values: NDArray[np.float64], left: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many values lie below each cut, and how many of the first 0, 1, 2, … by value left."""
    order = np.argsort(values, kind="stable")
    # Equal values are on the same side.
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(values[order])) + 1])
    return cuts, np.concatenate([[0], np.cumsum(left[order])])
