"""The inputs of terms: a customer's numbers, sums of numbers, and an indicator of each level of a category; none missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.customers.cell_rule import MISSING_LEVEL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """The map from a frame to a matrix of inputs: first the numbers, then the sums, then the levels of categories.

    Attributes
    ----------
    columns : list of str
        The frame's columns, in order.
    numbers : list of str
        The numeric ones of them.
    sums : dict
        Name to the numbers that it adds up.
    levels : dict
        Category to the levels that have an input. Any other level has none: all inputs of the category are 0. Where enough
        customers lack the category, that is one of the levels (`MISSING_LEVEL`).
    relations : dict
        Number to (other number, factor) where the number is factor times the other (a charge, its minutes and the rate): where
        only one of them is known, the other is computed.
    typical : dict
        Value for a column that is missing and has no related number: the median of a number, the most frequent level of a
        category.
    """

    columns: list[str]
    numbers: list[str]
    sums: dict[str, list[str]]
    levels: dict[str, list[str]]
    relations: dict[str, tuple[str, float]]
    typical: dict[str, Any]

    @classmethod
    def learn(
        cls,
        frame: pd.DataFrame,
        sums: dict[str, list[str]],
        min_rows: int,
        relations: dict[str, tuple[str, float]] | None = None,
    ) -> Self:
        """Learn the typical values, and the levels that at least `min_rows` customers have, that of lacking one among them.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n, n_columns)
            Training customers.
        sums : dict of str to list of str
            Name of a sum to the numbers that it adds up.
        min_rows : int
            Fewest customers of a level that has an input.
        relations : dict of str to (str, float), optional
            As in the attributes.
        """
        columns = list(map(str, frame.columns))
        numbers = [name for name in columns if pd.api.types.is_numeric_dtype(frame[name])]
        typical: dict[str, Any] = {}
        levels: dict[str, list[str]] = {}
        for name in columns:
            known = frame[name].dropna()
            if name in numbers:
                # A column without any value becomes 0, as the imputer makes it.
                typical[name] = float(np.median(known.to_numpy(dtype=np.float64))) if len(known) else 0.0
            else:
                counts = known.astype(str).value_counts()
                ranked = sorted(counts.index, key=lambda level: (-counts[level], level))
                typical[name] = ranked[0] if ranked else None
                lacking = len(frame) - len(known)
                told = [MISSING_LEVEL] * (min_rows <= lacking <= len(frame) - min_rows)
                levels[name] = [*told, *sorted(level for level in ranked if counts[level] >= min_rows)]
        return cls(columns, numbers, {name: list(parts) for name, parts in sums.items()}, levels, dict(relations or {}), typical)

    @property
    def names(self) -> list[str]:
        """Return the name of each input; a level's is `column = level`."""
        levels = [f"{column} = {level or '(missing)'}" for column, known in self.levels.items() for level in known]
        return [*self.numbers, *self.sums, *levels]

    @property
    def sources(self) -> list[tuple[str, ...]]:
        """Return the columns that each input reads."""
        levels = [(column,) for column, known in self.levels.items() for _ in known]
        return [*((name,) for name in self.numbers), *map(tuple, self.sums.values()), *levels]

    def complete(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Compute missing numbers from related ones; leave everything else as it is.

        Examples
        --------
        >>> rates = {"charge": ("minutes", 0.5), "minutes": ("charge", 2.0)}
        >>> both = Inputs.learn(pd.DataFrame({"minutes": [10.0], "charge": [5.0]}), {}, 1, rates)
        >>> both.complete(pd.DataFrame({"minutes": [30.0, np.nan], "charge": [np.nan, 4.0]})).to_numpy().tolist()
        [[30.0, 15.0], [8.0, 4.0]]
        """
        with np.errstate(over="ignore"):
            followed = {
                name: frame[name].fillna(frame[other] * factor)
                for name, (other, factor) in self.relations.items()
                if frame[name].hasnans
            }
        return frame.assign(**followed) if followed else frame

    def matrix(self, frame: pd.DataFrame) -> Floats:
        """Return the inputs, float64 of shape (n, n_inputs); of missing values the typical ones, or the level of lacking one."""
        filled = self._filled(frame)
        with np.errstate(over="ignore"):  # two numbers near the largest float: infinity keeps their order
            sums = [np.sum([filled[part] for part in parts], axis=0) for parts in self.sums.values()]
        # Nothing is missing any more, so comparing is enough.
        levels = [filled[column] == level for column, known in self.levels.items() for level in known]
        parts = [*(filled[name] for name in self.numbers), *sums, *levels]
        return np.column_stack(parts).astype(np.float64, copy=False) if parts else np.zeros((len(frame), 0))

    def _filled(self, frame: pd.DataFrame) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name in self.columns:
            values = frame[name].to_numpy()
            if name in self.numbers:
                numbers = values.astype(np.float64)
                filled[name] = np.where(np.isnan(numbers), self.typical[name], numbers)
            else:
                instead = MISSING_LEVEL if MISSING_LEVEL in self.levels[name] else self.typical[name]
                filled[name] = np.where(pd.isna(values), instead, values)
        return filled

    def missing(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Return which numbers are missing, shape (n, n_numbers)."""
        return np.asarray(np.isnan(frame[self.numbers].to_numpy(dtype=np.float64)))
