"""How far months differ from each other by themselves: a season is a move, and no drift.

Usage rises and falls with the year, and each month has its holidays. Where it is known which month a row of the reference speaks
of, a column's mean (a share, a correlation) in each of these months is one draw of what months usually are: whatever moves them,
and the chance in who they are. A later month is unusual only if it is beyond what such draws predict of another one. That is the
prediction interval of Student's t: with k months, mean m and standard deviation s, a new month differs from m by s times the
root of 1 + 1/k times t with k - 1 degrees of freedom (random effects of months; the balanced case of Higgins, Thompson and
Spiegelhalter 2009, JRSS A 172:137, whose variance within months is not taken off, since what is left after that can be nothing by
chance). Two months differ by s times the root of 2.

Each test asks this *beside* what it asks anyway, and the smaller surprise counts: then it alarms by chance no more often than
either. With few months t is wide, so a season costs power; docs/adr/0034 says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from churn.data.row_time import MONTH
from monitoring.drift.rank_scores import Floats
from monitoring.drift.sums import Sums

# Fewer months do not say how months differ; older ones than these say little of the present.
MIN_MONTHS, MAX_MONTHS = 6, 36
# Of fewer rows a month's mean is mostly chance, which would pass for what is usual.
MIN_MONTH_ROWS = 50
# Of each test: a figure, and how many customers are behind it.
Figures = tuple[Floats, Floats]


@dataclass(frozen=True)
class Months:
    """The months of a reference.

    Attributes
    ----------
    sums : tuple of Sums
        One for each month, the oldest first; empty where too few are known.
    """

    sums: tuple[Sums, ...] = ()

    @classmethod
    def of(cls, reference: pd.DataFrame, summarise: Callable[[Iterable[pd.DataFrame]], Sums]) -> Months:
        """Sum up each month.

        Parameters
        ----------
        reference : pandas.DataFrame
            Its column `requested_month` may be absent.
        summarise : callable
            That of the reference's profile.

        Returns
        -------
        Months
            The newest 36 with 50 rows at least; none if these are fewer than 6.
        """
        if MONTH not in reference:
            return cls()
        rows = reference[MONTH].value_counts()
        months = sorted(str(month) for month, count in rows.items() if count >= MIN_MONTH_ROWS)[-MAX_MONTHS:]
        if len(months) < MIN_MONTHS:
            return cls()
        return cls(tuple(summarise([reference[reference[MONTH] == month]]) for month in months))

    def beyond_usual(self, now: Floats, rows: Floats, of: Callable[[Sums], Figures], noise: Floats) -> Floats:
        """Return by how much figures of a window are beyond what months usually are, as normal z values of the same tail.

        Parameters
        ----------
        now : ndarray, shape (n_tests,)
            The window's.
        rows : ndarray, shape (n_tests,)
            Customers behind them.
        of : callable
            Gives the same figures of one month, and the customers behind each.
        noise : ndarray, shape (n_tests,)
            Variance that one customer brings: a window smaller than the months differs more by chance than they do.

        Returns
        -------
        ndarray, shape (n_tests,)
            At least 0; infinite where too few months are known, or where none ever differs: there, months explain nothing.
        """
        if not self.sums:
            return np.full(now.shape, np.inf)
        figures, sizes = self._figures(of)
        known, mean, variance = spread_of(figures)
        inverse = np.where(np.isnan(figures), 0.0, 1 / np.maximum(sizes, 1)).sum(axis=0) / np.maximum(known, 1)
        smaller = noise * np.maximum(1 / np.maximum(rows, 1) - inverse, 0.0)
        return as_z(np.abs(now - mean), variance * (1 + 1 / np.maximum(known, 1)) + smaller, variance, known)

    def beyond_moves(self, move: Floats, of: Callable[[Sums], Figures], chance: Floats) -> Floats:
        """Return by how much moves of the same customers are beyond what two months usually differ by, as z values.

        Parameters
        ----------
        move : ndarray, shape (n_tests,)
            By how much their figures are other now than before.
        of : callable
            As of `beyond_usual`.
        chance : ndarray, shape (n_tests,)
            Variance of the moves by chance.

        Returns
        -------
        ndarray, shape (n_tests,)
            As of `beyond_usual`.
        """
        if not self.sums:
            return np.full(move.shape, np.inf)
        known, _, variance = spread_of(self._figures(of)[0])
        return as_z(np.abs(move), 2 * variance + chance, variance, known)

    def _figures(self, of: Callable[[Sums], Figures]) -> Figures:
        found = [of(month) for month in self.sums]
        sizes = np.array([rows for _, rows in found], dtype=np.float64)
        return np.where(sizes >= MIN_MONTH_ROWS, np.array([figures for figures, _ in found], dtype=np.float64), np.nan), sizes


def spread_of(figures: Floats) -> tuple[Floats, Floats, Floats]:
    """Return how many months have each figure, their mean and their variance.

    Parameters
    ----------
    figures : ndarray, shape (n_months, n_tests)
        NaN where a month has none.

    Returns
    -------
    tuple of ndarray, shape (n_tests,) each
    """
    there = ~np.isnan(figures)
    known = there.sum(axis=0).astype(np.float64)
    mean = np.where(there, figures, 0.0).sum(axis=0) / np.maximum(known, 1)
    squares = (np.where(there, figures - mean, 0.0) ** 2).sum(axis=0)
    return known, mean, np.asarray(squares / np.maximum(known - 1, 1))


def as_z(distance: Floats, scale: Floats, variance: Floats, known: Floats) -> Floats:
    """Return distances as normal z values of the same tail.

    Parameters
    ----------
    distance : ndarray, shape (n_tests,)
        At least 0.
    scale : ndarray, shape (n_tests,)
        Their variance, known as well as a variance of `known` months is.
    variance : ndarray, shape (n_tests,)
        Between months: where it is 0 they explain nothing.
    known : ndarray, shape (n_tests,)
        How many months.

    Returns
    -------
    ndarray, shape (n_tests,)

    Examples
    --------
    >>> known, mean, variance = spread_of(np.array([[9.0], [10.0], [11.0], [10.0], [9.0], [11.0]]))
    >>> as_z(abs(13 - mean), variance * 7 / 6, variance, known).round(2).tolist()
    [2.22]
    """
    differ = (known >= MIN_MONTHS) & (variance > 0)
    t = distance / np.sqrt(np.where(differ, scale, 1.0))
    return np.asarray(np.where(differ, stats.norm.isf(stats.t.sf(t, np.maximum(known - 1, 1))), np.inf))
