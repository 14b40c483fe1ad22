"""Reading one column of customers: what is certainly right becomes an array, the rest is left for the request model to judge.

Each reader does for a whole column what the request model (`churn.customers.customer`) does for one value, by a few passes of numpy over all
of it. Where it is not certain of a value, it says so: a doubt costs time, a wrong certainty would cost the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn.contract import Column

Floats = NDArray[np.float64]
Doubt = NDArray[np.bool_]
MAX_ID_LENGTH = 128
MAX_TEXT_LENGTH = 10_000
MISSING_CODE = -1
UNKNOWN_CODE = -2
_NUMBERS = frozenset({float, int, type(None)})
_FLAGS: frozenset[type] = frozenset({bool, int, float, str, type(None)})
_LEVELS: frozenset[type] = frozenset({str, int, type(None)})
_IDS = frozenset({str, type(None)})


class Cells(NamedTuple):
    """One column, read.

    Attributes
    ----------
    values : array of shape (n,)
        As `churn.customers.columns.CustomerColumns` keeps them; anything where doubtful.
    doubtful : array of bool, shape (n,), or None
        Where the value is not certainly right; None: it is everywhere.
    """

    values: NDArray[Any]
    doubtful: Doubt | None = None


class FeatureCells:
    """Reads the cells of one feature, from whatever a format has: Python values, numbers, or texts that repeat."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.is_category = column.kind == "category"
        self.required = not (column.nullable or column.kind in ("number", "integer"))
        if self.is_category:
            self._codes = _level_codes(column)
            whole = sorted((float(level), code) for level, code in self._codes.items() if isinstance(level, int))
            self._whole = np.array([level for level, _ in whole])
            self._whole_codes = np.array([code for _, code in whole], dtype=np.int32)
        elif column.kind == "flag":
            self._flags = _flag_values(column)

    def absent(self, rows: int) -> NDArray[Any]:
        """Give a column that is missing in every row."""
        return np.full(rows, MISSING_CODE, np.int32) if self.is_category else np.full(rows, np.nan)

    def missing(self, values: NDArray[Any]) -> Doubt:
        """Tell where a value is missing."""
        return np.asarray(values < 0 if self.is_category else np.isnan(values), dtype=np.bool_)

    def coded(self, value: Any) -> float | int:
        """Give the place in the array for a value that the request model has accepted."""
        if self.is_category:
            return MISSING_CODE if value is None else int(self._codes[value])
        return np.nan if value is None else float(value)

    def spelled(self, value: Any) -> Any:
        """Spell a typed value as JSON would: NaN is null, and a whole number may name a level."""
        if isinstance(value, str):
            # However long a wrong text is, its beginning is as wrong.
            return value[:MAX_TEXT_LENGTH]
        if isinstance(value, float):
            if isnan(value):
                return None
            if self.is_category and value.is_integer():
                return int(value)
        return value

    def from_objects(self, values: Sequence[Any]) -> Cells:
        """Read Python values as JSON has them: numbers, booleans, texts and None."""
        types = set(map(type, values))
        match self.column.kind:
            case "category":
                return self._looked_up(values, types <= _LEVELS, _LEVELS, self._codes, UNKNOWN_CODE, np.int32)
            case "flag":
                return self._looked_up(values, types <= _FLAGS, _FLAGS, self._flags, float(UNKNOWN_CODE), np.float64)
        if types <= _NUMBERS:
            # None becomes NaN, and no other NaN may hide among them.
            numbers = np.array(values, dtype=np.float64)
            gaps = np.count_nonzero(np.isnan(numbers))
            if not gaps or gaps == values.count(None):
                return self.from_numbers(numbers)
        plain = [value if type(value) in _NUMBERS else None for value in values]
        cells = self.from_numbers(np.array(plain, dtype=np.float64))
        doubtful = np.isnan(cells.values) & np.array([value is not None for value in values])
        return Cells(cells.values, doubtful if cells.doubtful is None else doubtful | cells.doubtful)

    def _looked_up(
        self, values: Sequence[Any], plain: bool, allowed: frozenset[type], table: dict[Any, Any], unknown: float, dtype: Any
    ) -> Cells:
        if not plain:
            # What cannot be looked up, or would find what equals it (True is 1), is left to doubt.
            values = [value if type(value) in allowed else _NOTHING for value in values]
        read = np.fromiter(map(table.get, values, repeat(unknown)), dtype, len(values))
        return Cells(read, _some(read == unknown))

    def from_numbers(self, values: Floats) -> Cells:
        """Read numbers, NaN where missing. Whole ones may name levels, 0 and 1 a flag."""
        if not len(values):
            return Cells(values if not self.is_category else values.astype(np.int32))
        match self.column.kind:
            case "category":
                return self._whole_levels(values)
            case "flag":
                return Cells(values, _some(~((values == 0) | (values == 1) | np.isnan(values))))
        low = -np.inf if self.column.minimum is None else self.column.minimum
        high = np.inf if self.column.maximum is None else self.column.maximum
        least, most = values.min(), values.max()
        whole = self.column.kind == "integer"
        # NaN fails every comparison: columns with gaps take the longer way.
        inside = least >= low and most <= high and np.isfinite(least) and np.isfinite(most)
        if inside and (not whole or bool((values == np.rint(values)).all())):
            return Cells(values)
        right = (values >= low) & (values <= high) & np.isfinite(values)
        if whole:
            right &= values == np.rint(values)
        return Cells(values, _some(~(right | np.isnan(values))))

    def _whole_levels(self, values: Floats) -> Cells:
        codes = np.full(len(values), UNKNOWN_CODE, np.int32)
        if len(self._whole):
            place = np.minimum(np.searchsorted(self._whole, values), len(self._whole) - 1)
            codes = np.where(self._whole[place] == values, self._whole_codes[place], codes)
        codes[np.isnan(values)] = MISSING_CODE
        return Cells(codes, _some(codes == UNKNOWN_CODE))

    def from_texts(self, places: NDArray[np.integer[Any]], texts: Sequence[str | None]) -> Cells:
        """Read texts that repeat: the place of each row's text in `texts`, -1 where missing."""
        if self.column.kind in ("number", "integer"):
            return Cells(np.full(len(places), np.nan), _some(places >= 0))
        # The last entry is what place -1 finds.
        known = self.from_objects([*texts, None])
        return Cells(known.values[places], None if known.doubtful is None else _some(known.doubtful[places]))


def doubtful_ids(ids: Sequence[Any]) -> Doubt | None:
    """Tell which customer ids are not certainly right; None if all are. (A name with a tab may be; the request model knows.)"""
    if set(map(type, ids)) <= _IDS:
        named = [one for one in ids if one is not None]
        lengths = set(map(len, named))
        if not lengths or (min(lengths) > 0 and max(lengths) <= MAX_ID_LENGTH and "".join(named).isprintable()):
            return None
    certain = (one is None or (type(one) is str and 0 < len(one) <= MAX_ID_LENGTH and one.isprintable()) for one in ids)
    return _some(~np.fromiter(certain, np.bool_, len(ids)))


class _Nothing:
    """Equals nothing that a table holds."""


_NOTHING = _Nothing()


def _some(doubtful: NDArray[Any]) -> Doubt | None:
    return doubtful if doubtful.any() else None


def _level_codes(column: Column) -> dict[Any, int]:
    codes: dict[Any, int] = {level: code for code, level in enumerate(column.levels)}
    codes |= {int(level): code for code, level in enumerate(column.levels) if level.isdigit() and str(int(level)) == level}
    return codes | {None: MISSING_CODE}


def _flag_values(column: Column) -> dict[Any, float]:
    values: dict[Any, float] = {1: 1.0, 0: 0.0, None: np.nan}
    for level, value in ((column.true_level, 1.0), (column.false_level, 0.0)):
        values |= dict.fromkeys((level, level.lower(), level.upper(), level.capitalize()), value)
    return values
