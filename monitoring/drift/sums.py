"""A window (or a reference) in sums: what the comparisons need, and no row of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from monitoring.drift.rank_scores import Floats
from monitoring.drift.slice_scores import SliceSums


@dataclass
class Sums:
    """Sums over rows; those of parts add up to those of the whole.

    Attributes
    ----------
    present : Counter
        Values that are there, by column.
    value_sums : dict of float
        Sum of the finite values, by numeric column.
    below, above : Counter
        Values below the reference's least, and above its largest, by numeric column.
    levels : dict of Counter
        Rows by level, of categories and flags.
    broken, related : Counter
        By a relation's column: rows that break it, and rows where both sides are present.
    scores : ndarray, shape (n_scores,)
        Sums of the rank scores.
    products, together : ndarray, shape (n_pair_scores, n_pair_scores)
        Sums of products of scores, and rows where both are there.
    slices : SliceSums or None
        Of the customers in each slice, where the profile has slices.
    """

    rows: int = 0
    present: Counter[str] = field(default_factory=Counter)
    value_sums: dict[str, float] = field(default_factory=dict)
    below: Counter[str] = field(default_factory=Counter)
    above: Counter[str] = field(default_factory=Counter)
    levels: dict[str, Counter[str]] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)
    related: Counter[str] = field(default_factory=Counter)
    scores: Floats = field(default_factory=lambda: np.zeros(0))
    products: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    together: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    columns: set[str] = field(default_factory=set)
    slices: SliceSums | None = None

    def add(self, other: Sums) -> None:
        """Add the sums of another part, of the same profile. A column that is absent from either is absent."""
        self.columns = self.columns & other.columns if self.rows else other.columns
        self.rows += other.rows
        for name in ("present", "below", "above", "broken", "related"):
            getattr(self, name).update(getattr(other, name))
        for column, counted in other.levels.items():
            self.levels.setdefault(column, Counter()).update(counted)
        for column, value in other.value_sums.items():
            self.value_sums[column] = self.value_sums.get(column, 0.0) + value
        self.scores += other.scores
        self.products += other.products
        self.together += other.together
        if other.slices is not None:
            self.slices = other.slices if self.slices is None else self.slices.plus(other.slices)
