"""What is compared of slices, as scores: numbers and predictions within each, and the share of each segment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from churn.segments.segments import SLICE
from monitoring.drift.columns import PROBABILITY, numbers_of
from monitoring.drift.rank_scores import MIN_SPREAD, Floats, RankScores, Scores
from monitoring.slicing import Slicing

# Of more tests than these, slices have only their predictions and shares: the model makes of the numbers what matters.
MAX_TESTS = 2_000


class SliceSums(NamedTuple):
    """Sums over rows; those of parts add up to those of the whole.

    Attributes
    ----------
    scores, values, present : ndarray, shape (n_slices, n_columns)
        Of the numbers of each slice's customers: rank scores, finite values, and how many there are.
    rows : ndarray, shape (n_slices,)
        Customers in each slice.
    """

    scores: Floats
    values: Floats
    present: Floats
    rows: Floats

    def plus(self, other: SliceSums) -> SliceSums:
        """Return the sums of both."""
        return SliceSums(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


@dataclass(frozen=True)
class SliceScores:
    """The scores of slices, fitted to the reference.

    The score of a number within a slice is its rank score, less the mean of that in this slice, for the customers in the slice,
    and 0 for others: how many customers are in it plays no part. How a number hangs together with a flag is compared by
    dependence, so of slices by flags there are only the predictions. Shares of levels are compared by themselves; segments are no
    columns, so their shares are here: the score is 1 for who is in it.

    Attributes
    ----------
    slicing : Slicing
        The slices.
    numbers : dict of RankScores
        Of the numeric columns and the predicted probability.
    sums : SliceSums
        Of the reference.
    spreads : ndarray, shape (n_tests,)
        Standard deviation of each score on the reference.
    """

    slicing: Slicing
    numbers: dict[str, RankScores]
    sums: SliceSums
    spreads: Floats

    @classmethod
    def of(cls, reference: pd.DataFrame, slicing: Slicing, numbers: dict[str, RankScores]) -> SliceScores:
        """Fit the scores to a reference.

        Parameters
        ----------
        reference : pandas.DataFrame
            The columns of the numbers and of the slices.
        slicing : Slicing
            With slices.
        numbers : dict of RankScores
            Of the numeric columns and the predicted probability.

        Returns
        -------
        SliceScores
            The same for the same rows.
        """
        nothing = np.zeros((len(slicing.rules), len(numbers)))
        empty = cls(slicing, numbers, SliceSums(nothing, nothing, nothing, nothing[:, 0]), np.zeros(0))
        half = cls(slicing, numbers, empty.sum_up(reference), np.zeros(0))
        return cls(slicing, numbers, half.sums, half.of_rows(reference).std(axis=0))

    @cached_property
    def tests(self) -> list[tuple[int, int | None]]:
        """Of each test the place of the slice, and that of the column; None: the share of the slice."""
        kinds = {column.name: column.kind for column in self.slicing.contract.features}
        within = [
            (place, column)
            for place, rule in enumerate(self.slicing.rules)
            for column, name in enumerate(self.numbers)
            if name != rule.column and (name == PROBABILITY or kinds.get(rule.column) != "flag")
        ]
        if len(within) > MAX_TESTS:
            answers = [*self.numbers].index(PROBABILITY)
            within = [(place, column) for place, column in within if column == answers]
        return [*within, *((place, None) for place, rule in enumerate(self.slicing.rules) if rule.column == SLICE)]

    @cached_property
    def means(self) -> Floats:
        """Mean score of each number of each slice on the reference, shape (n_slices, n_columns)."""
        return np.asarray(self.sums.scores / np.maximum(self.sums.present, 1))

    def of_rows(self, frame: pd.DataFrame) -> Scores:
        """Return the scores of customers.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n, m)
            The columns of the numbers and of the slices.

        Returns
        -------
        ndarray of float32, shape (n, n_tests)
        """
        members = self.slicing.members_of(frame)
        values = [numbers_of(frame, name) for name in self.numbers]
        scores = [self.numbers[name].of_column(one)[:, 0] for name, one in zip(self.numbers, values, strict=True)]
        there = [~np.isnan(one) for one in values]
        found = np.empty((len(frame), len(self.tests)), dtype=np.float32)
        for test, (place, column) in enumerate(self.tests):
            inside = members[:, place]
            if column is None:
                found[:, test] = inside
            else:
                found[:, test] = (inside & there[column]) * (scores[column] - self.means[place, column])
        return found

    def sum_up(self, frame: pd.DataFrame) -> SliceSums:
        """Return the sums of customers.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n, m)
            As for `of_rows`.

        Returns
        -------
        SliceSums
        """
        members = self.slicing.members_of(frame).astype(np.float64)
        values = np.column_stack([numbers_of(frame, name) for name in self.numbers])
        scores = np.column_stack([self.numbers[name].of_column(values[:, at])[:, 0] for at, name in enumerate(self.numbers)])
        finite = np.where(np.isfinite(values), values, 0.0)
        return SliceSums(members.T @ scores, members.T @ finite, members.T @ ~np.isnan(values), members.sum(axis=0))

    def differences(self, window: SliceSums, rows: int, reference_rows: int) -> Floats:
        """Return by how much the mean score of each test in a window is above the reference's.

        Parameters
        ----------
        window : SliceSums
            Of the window.
        rows, reference_rows : int
            Its size, and the reference's.

        Returns
        -------
        ndarray, shape (n_tests,)
            In standard deviations of the score.
        """
        within = window.scores - window.present * self.means
        shares = window.rows - rows * self.sums.rows / max(reference_rows, 1)
        sums = np.array([shares[place] if column is None else within[place, column] for place, column in self.tests])
        return np.asarray(sums / max(rows, 1) / np.where(self.spreads > MIN_SPREAD, self.spreads, np.inf))
