"""Read one column of customers at once: what is certainly right becomes an array, the rest is asked of `CellRule`, cell by cell.

A column reader may only be faster than the rule: what it cannot decide, the rule decides, and what the rule refuses is doubtful.
Whoever reads the table says then what is wrong with the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import repeat
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn.contract import Column
from churn.customers.cell_rule import MAX_NUMBER, CellRule, number_text

Floats = NDArray[np.float64]
Doubt = NDArray[np.bool_]
MISSING_CODE = -1
UNKNOWN_CODE = -2
_NUMBERS = frozenset({float, int, type(None)})
_KEYS: frozenset[type] = frozenset({str, int, float, type(None)})
# So many numbers that name levels are compared one by one: a search in a column takes as long as fifty comparisons.
_FEW = 32


class Cells(NamedTuple):
    """One column, read.

    Attributes
    ----------
    values : array of shape (n,)
        As `churn.customers.columns.CustomerColumns` keeps them; anything where doubtful.
    doubtful : array of bool, shape (n,), or None
        Where the value breaks a rule; None: nowhere.
    """

    values: NDArray[Any]
    doubtful: Doubt | None = None


class FeatureCells:
    """Reads the cells of one feature, from whatever a format has: Python values, numbers, or texts that repeat."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.rule = CellRule(column)
        self.is_category = column.kind == "category"
        self.required = column.required
        self.codes: dict[str, int] = {level: code for code, level in enumerate(column.levels)}
        # What may be looked up, and the value that is kept for it. (415.0 finds what 415 does.)
        self._known: dict[Any, Any] = dict(self._looked_up_values())
        # True finds what 1 does: for a flag both mean the same, unless its levels say otherwise (an outcome `stayed`).
        self.reads_booleans = column.kind == "flag" and all(
            self.rule.parse(one) is self.rule.parse(int(one)) for one in (True, False)
        )
        # Whether a text that writes a number plainly means this number: with a decimal comma 1.234 may mean another.
        self.reads_plain_numbers = column.number_format is None or column.number_format.decimal == "."
        self._keys = _KEYS | {bool} if self.reads_booleans else _KEYS
        self._unknown = UNKNOWN_CODE if self.is_category else float(UNKNOWN_CODE)
        # The same for columns of numbers, sorted.
        numbers = sorted((float(key), value) for key, value in self._known.items() if isinstance(key, int))
        self._numbers = np.array([number for number, _ in numbers])
        self._number_values = np.array([value for _, value in numbers], dtype=np.int32 if self.is_category else np.float64)
        # Most flags: a column of them is kept as it is.
        self._is_0_or_1 = not self.is_category and numbers == [(0.0, 0.0), (1.0, 1.0)]

    def _looked_up_values(self) -> Iterable[tuple[Any, Any]]:
        yield None, MISSING_CODE if self.is_category else np.nan
        column = self.column
        if self.is_category:
            yield from self.codes.items()
            yield from ((int(level), code) for level, code in self.codes.items() if _is_whole(level))
        elif column.kind == "flag":
            for level in (column.true_level, column.false_level):
                for text in (level, level.lower(), level.upper(), level.capitalize()):
                    yield text, float(bool(self.rule.parse(text)))
            whole = (int(level) for level in (column.true_level, column.false_level) if _is_whole(level))
            for number in (0, 1, *whole):
                yield number, float(bool(self.rule.parse(number)))

    def absent(self, rows: int) -> NDArray[Any]:
        """Return a column that is missing in every row."""
        return np.full(rows, MISSING_CODE, np.int32) if self.is_category else np.full(rows, np.nan)

    def missing(self, values: NDArray[Any]) -> Doubt:
        """Return where a value is missing."""
        return np.asarray(values < 0 if self.is_category else np.isnan(values), dtype=np.bool_)

    def coded(self, value: Any) -> float | int:
        """Return what the array holds for a value that the rule has read."""
        if self.is_category:
            return MISSING_CODE if value is None else self.codes[value]
        return np.nan if value is None else float(value)

    def from_objects(self, values: Sequence[Any]) -> Cells:
        """Read Python values as JSON has them: numbers, booleans, texts and None."""
        types = set(map(type, values))
        if self.column.kind in ("category", "flag"):
            if not types <= self._keys:
                # What cannot be looked up, or would find what equals it (True is 1), is left to the rule.
                keys: Sequence[Any] = [value if type(value) in self._keys else _NOTHING for value in values]
            else:
                keys = values
            dtype = np.int32 if self.is_category else np.float64
            read = np.fromiter(map(self._known.get, keys, repeat(self._unknown)), dtype, len(values))
            unknown = read == self._unknown
            return self._decided(read, unknown, values.__getitem__) if unknown.any() else Cells(read)
        if types <= _NUMBERS:
            # None becomes NaN, and no other NaN may hide among them.
            numbers = np.array(values, dtype=np.float64)
            gaps = np.count_nonzero(np.isnan(numbers))
            if not gaps or gaps == values.count(None):
                return self.from_numbers(numbers)
        plain = np.array([value if type(value) in _NUMBERS and value == value else None for value in values], dtype=np.float64)  # noqa: PLR0124 -- NaN
        cells = self.from_numbers(plain)
        odd = np.isnan(plain) & np.array([value is not None for value in values])
        return self._decided(cells.values, odd if cells.doubtful is None else odd | cells.doubtful, values.__getitem__)

    def from_numbers(self, values: Floats) -> Cells:
        """Read numbers, NaN where missing. They may name levels, 0 and 1 a flag."""
        if not len(values):
            return Cells(values if not self.is_category else values.astype(np.int32))
        if self.column.kind in ("category", "flag"):
            return self._named_by(values)
        low = -MAX_NUMBER if self.column.minimum is None else max(self.column.minimum, -MAX_NUMBER)
        high = MAX_NUMBER if self.column.maximum is None else min(self.column.maximum, MAX_NUMBER)
        # Of those that are there: NaN, which is missing, counts for neither; both are NaN if nothing is there.
        least, most = np.fmin.reduce(values), np.fmax.reduce(values)
        whole = self.column.kind == "integer"
        inside = least >= low and most <= high and np.isfinite(least) and np.isfinite(most)
        if np.isnan(least) or (inside and not (whole and _some_fraction(values))):
            return Cells(values)
        right = (values >= low) & (values <= high) & np.isfinite(values)
        if whole:
            right &= values == np.rint(values)
        return Cells(values, _some(~(right | np.isnan(values))))

    def _named_by(self, values: Floats) -> Cells:
        if self._is_0_or_1 and not (np.fmin.reduce(values) < 0 or np.fmax.reduce(values) > 1 or _some_fraction(values)):
            return Cells(values)
        read = np.full(len(values), self._unknown, self._number_values.dtype)
        if len(self._numbers) <= _FEW:
            for number, value in zip(self._numbers, self._number_values, strict=True):
                np.copyto(read, value, where=values == number)
        else:
            place = np.minimum(np.searchsorted(self._numbers, values), len(self._numbers) - 1)
            found = self._numbers[place] == values
            np.copyto(read, self._number_values[place], where=found)
        np.copyto(read, self._known[None], where=np.isnan(values))
        unknown = read == self._unknown
        return self._decided(read, unknown, lambda row: float(values[row])) if unknown.any() else Cells(read)

    def from_texts(self, places: NDArray[np.integer[Any]], texts: Sequence[str | None]) -> Cells:
        """Read texts that repeat.

        Parameters
        ----------
        places : array of int, shape (n,)
            The place of each row's text in `texts`, -1 where missing.
        texts : sequence of (str or None)

        Returns
        -------
        Cells
            Of n rows.
        """
        # The last entry is what place -1 finds: so a place is taken modulo their number.
        known = self.from_objects([*texts, None])
        values = np.take(known.values, places, mode="wrap")
        return Cells(values, None if known.doubtful is None else _some(known.doubtful[places]))

    def _decided(self, values: NDArray[Any], undecided: Doubt, cell: Callable[[int], Any]) -> Cells:
        """Ask the rule about the undecided cells; `cell` returns the one of a row."""
        values = values if values.flags.writeable else values.copy()
        doubtful = np.zeros(len(values), np.bool_)
        memo: dict[Any, Any] = {}
        for row in np.flatnonzero(undecided).tolist():
            one = cell(row)
            key = (type(one), one) if isinstance(one, str | float | int) else None
            try:
                if key is None or key not in memo:
                    memo[key] = self.coded(self.rule.read(one))
                values[row] = memo[key]
            except ValueError:
                doubtful[row] = True
        return Cells(values, _some(doubtful))


def json_value(value: Any) -> Any:
    """Return a value of a typed format as JSON has it: NaN is how such a format writes a missing value."""
    if isinstance(value, Decimal):
        value = float(value)
    return None if isinstance(value, float) and isnan(value) else value


class _Nothing:
    """Equals nothing that a table holds."""


_NOTHING = _Nothing()


def _some_fraction(values: Floats) -> bool:
    """Tell whether a number is not whole. (NaN, which is missing, equals nothing.)"""
    others = np.count_nonzero(np.rint(values) != values)
    return bool(others) and others != np.count_nonzero(np.isnan(values))


def _some(doubtful: NDArray[Any]) -> Doubt | None:
    return doubtful if doubtful.any() else None


def _is_whole(level: str) -> bool:
    return level.lstrip("-").isdecimal() and level.isascii() and number_text(int(level)) == level
