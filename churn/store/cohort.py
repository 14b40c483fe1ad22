"""A cohort: predictions of some time, and whether the outcomes that are known of them can be taken for those of all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

# By so much more of the known outcomes may be of leavers than the model said, where of most predictions nothing is known.
MAX_EXCESS = 0.1
# Outcomes are looked at by weeks, and weeks with fewer known ones together: of few, most may be leavers by chance.
WEEK, MIN_KNOWN = np.timedelta64(7, "D"), 50
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
        # Where there are no rows, a column may have no type.
        known = ~np.isnan(left.astype(np.float64))
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


def aside_in_words(outcomes: int) -> str:
    """Return in words how many outcomes are of weeks of which leavers alone seem to be told."""
    said = f"{outcomes:,} outcomes of weeks of which leavers alone seem to be told are left aside"
    return f"{said}: report those who stayed too"


class CountCohort(Protocol):
    """Counts the predictions between two of them, as `churn.store.predictions.cohort.CohortCounter` does."""

    def __call__(self, *, seqs: tuple[int, int], times: tuple[datetime, datetime]) -> Cohort:
        """Return them, by the numbers of the first and the last, and when these were requested."""


def told_of_leavers(rows: pd.DataFrame, count: CountCohort) -> NDArray[np.bool_]:
    """Return which outcomes are of weeks of which leavers alone seem to be told (`Cohort.told_of_leavers`).

    A feed of those who stayed may stop for some weeks. Among all the others these do not show, but the newest ones are
    what a gate judges by.

    Parameters
    ----------
    rows : pandas.DataFrame, shape (n, m)
        Labelled predictions: at least the columns seq, requested_at, churn_probability and churned, with NaN where an outcome
        may not be learned from.
    count : callable
        Asked of those weeks alone in which most known outcomes are of leavers.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
    """
    told = np.zeros(len(rows), dtype=np.bool_)
    left, said = (rows[name].to_numpy(dtype=np.float64) for name in ("churned", "churn_probability"))
    for here in _by_weeks(rows["requested_at"].dt.tz_convert(None).to_numpy(dtype="datetime64[us]"), ~np.isnan(left)):
        known = here[~np.isnan(left[here])]
        # If nobody else had been there: where not even then, nothing needs to be counted.
        if not Cohort(1).told_of_leavers(left[known], said[known]):
            continue
        of = rows.iloc[here]
        times = of["requested_at"].min().to_pydatetime(), of["requested_at"].max().to_pydatetime()
        cohort = count(seqs=(int(of["seq"].min()), int(of["seq"].max())), times=times)
        told[here] = cohort.told_of_leavers(left[known], said[known])
    return told


def whole_weeks(rows: pd.DataFrame, count: CountCohort) -> tuple[pd.DataFrame, int, int]:
    """Leave out the outcomes of weeks of which leavers alone seem to be told, where there are others.

    Parameters
    ----------
    rows : pandas.DataFrame, shape (n, m)
    count : callable
        As for `told_of_leavers`.

    Returns
    -------
    pandas.DataFrame, shape (at most n, m)
        The others. All rows if leavers alone are told of each week: then nothing can be judged.
    int
        How many are passed over: they are of weeks before the last whole one.
    int
        How many can wait: they are of later weeks, of which those who stayed may still be told.
    """
    told = told_of_leavers(rows, count)
    if told.all() or not told.any():
        return rows, 0, 0
    known, asked = rows["churned"].notna().to_numpy(), rows["requested_at"]
    past = (asked <= asked[~told].max()).to_numpy()
    kept = rows[~told].reset_index(drop=True)
    return kept, int((told & past & known).sum()), int((told & ~past & known).sum())


def _by_weeks(asked: NDArray[np.datetime64], known: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Yield the positions of each week's rows, the oldest first; of weeks with too few known outcomes together."""
    week = (asked - np.datetime64(0, "us")) // WEEK
    ends: list[np.int64] = []
    waiting = 0
    for one in np.unique(week):
        waiting += int(known[week == one].sum())
        if waiting >= MIN_KNOWN:
            ends.append(one)
            waiting = 0
    group = np.minimum(np.searchsorted(np.array(ends, dtype=np.int64), week), max(len(ends) - 1, 0))
    for number in np.unique(group):
        yield np.flatnonzero(group == number)
