"""Decide what one cell means: a value, a missing value, or a broken rule. Every reader of every format asks here.

A cell is whatever a format has: a text, a number, a boolean, or nothing. The same cell means the same in each of them. Readers of
whole columns (`churn.customers.cells`) are only faster: they know what is certainly right, and ask here about the rest.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from churn.composed import composed
from churn.contract import Column
from churn.number_format import NUMBER_PATTERN

# Texts that mean a missing value, in any case of letters; a level of the column wins over them (`NA` may be Namibia).
MISSING_TEXTS = frozenset({"", "na", "nan", "null", "none"})
# What a model calls the level of a category that is missing, where it has an input for that. No contract lists it.
MISSING_LEVEL = ""
_NUMBER = re.compile(NUMBER_PATTERN)
# A number that may name a level. With more zeros in front it is a text of its own: 07 is not 7.
_NUMBER_OF_LEVEL = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")
# However long a wrong text is, its beginning is as wrong.
MAX_TEXT_LENGTH = 10_000
LISTED_LEVELS = 12
# Larger numbers are nobody's: a model that weighs and adds them up would overflow, and infinity less infinity is no answer.
MAX_NUMBER = 1e100
# A column whose numbers differ by less than this share of their size: weighed and added up, their differences are rounded away.
MIN_SPREAD = 1e-7
_WIDEST_INTEGER = 2**64
MUST_NOT_BE_MISSING = "must not be missing"


class CellRule:
    """Read cells of one column, one at a time.

    Examples
    --------
    >>> calls = CellRule(Column(name="calls", source="Calls", kind="integer", minimum=0))
    >>> [calls.read(cell) for cell in (415, 415.0, "415", " 415.0 ", "4.15e2", "NA", None)]
    [415.0, 415.0, 415.0, 415.0, 415.0, None, None]
    >>> calls.read("many")
    Traceback (most recent call last):
    ValueError: must be a number
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        self._levels = frozenset(column.levels)
        self._missing = MISSING_TEXTS | {text.strip().lower() for text in column.missing}
        self._format = column.number_format
        # The contract's own levels win: an outcome `stayed` may say False for those who left.
        self._flags = {"true": True, "1": True, "false": False, "0": False}
        self._flags |= {column.true_level.casefold(): True, column.false_level.casefold(): False}
        unit = f" {column.unit}" if column.unit else ""
        self._too_low = f"must be at least {column.minimum:g}{unit}" if column.minimum is not None else ""
        self._too_high = f"must be at most {column.maximum:g}{unit}" if column.maximum is not None else ""

    @property
    def wanted(self) -> str:
        """What a cell must be, in words."""
        match self.column.kind:
            case "flag":
                return f"must be {self.column.true_level} or {self.column.false_level}"
            case "category":
                listed = ", ".join(self.column.levels[:LISTED_LEVELS])
                more = len(self.column.levels) - LISTED_LEVELS
                return f"unknown level (known: {listed}{f' and {more} more' if more > 0 else ''})"
            case _:
                return "must be a number" + (f", written as {self._format.example}" if self._format else "")

    def read(self, cell: Any) -> float | bool | str | None:
        """Return the value of a cell, None where it is missing.

        Raises
        ------
        ValueError
            With the rule that the cell breaks.
        """
        value = self.parse(cell)
        if value is None:
            if self.column.required:
                raise ValueError(MUST_NOT_BE_MISSING)
            return None
        self.check(value)
        return value

    def parse(self, cell: Any) -> float | bool | str | None:
        """Return what a cell says, whether or not the contract allows it: bounds and levels are not looked at.

        Raises
        ------
        ValueError
            If it says nothing that a value of this kind can be.
        """
        if cell is None:
            return None
        if isinstance(cell, str):
            return self._parse_text(composed(cell[:MAX_TEXT_LENGTH]))
        if isinstance(cell, Decimal):
            cell = float(cell)
        if not isinstance(cell, int | float):
            raise ValueError(self.wanted)
        match self.column.kind:
            case "category":
                return self._level_of(cell)
            case "flag":
                return self._flag_of(cell)
        if isinstance(cell, bool):
            raise ValueError(self.wanted)
        return _finite(cell)

    def check(self, value: float | bool | str) -> None:
        """Raise ValueError if what `parse` returned is out of bounds, or no level."""
        column = self.column
        match column.kind:
            case "category":
                # A sensitive category may be any text.
                if column.levels and value not in self._levels:
                    raise ValueError(self.wanted)
            case "number" | "integer":
                number = float(value)
                if column.minimum is not None and number < column.minimum:
                    raise ValueError(self._too_low)
                if column.maximum is not None and number > column.maximum:
                    raise ValueError(self._too_high)
                if column.kind == "integer" and not number.is_integer():
                    raise ValueError("must be a whole number")

    def _parse_text(self, cell: str) -> float | bool | str | None:
        text = cell.strip()
        if self.column.kind == "category":
            if text in self._levels or cell in self._levels:
                return text if text in self._levels else cell
            if text.lower() in self._missing:
                return None
            named = number_text(float(text)) if _NUMBER_OF_LEVEL.fullmatch(text) else text
            return named if named in self._levels else text
        if self.column.kind == "flag" and (meaning := self._flags.get(text.casefold())) is not None:
            return meaning
        if text.lower() in self._missing:
            return None
        number = self._number_of(text)
        return self._flag_of(number) if self.column.kind == "flag" else _finite(number)

    def _number_of(self, text: str) -> float:
        if self._format is not None and (number := self._format.read(text)) is not None:
            return number
        if self._format is not None or not _NUMBER.fullmatch(text):
            raise ValueError(self.wanted)
        return float(text)

    def _flag_of(self, number: float) -> bool:
        meaning = self._flags.get(number_text(number).casefold())
        if meaning is None:
            raise ValueError(self.wanted)
        return meaning

    def _level_of(self, number: float) -> str:
        text = number_text(number)
        # Python writes True where JSON writes true.
        return str(number) if isinstance(number, bool) and str(number) in self._levels else text


def number_text(number: float) -> str:
    """Return how a number is written where it names a level: a whole one without a point, a boolean as JSON has it.

    Examples
    --------
    >>> [number_text(number) for number in (415, 415.0, 7.5, True, 1e300)]
    ['415', '415', '7.5', 'true', '1e+300']
    """
    if isinstance(number, bool):
        return "true" if number else "false"
    if isinstance(number, int) and abs(number) < _WIDEST_INTEGER:
        return str(number)
    try:
        number = float(number)
    except OverflowError:
        return "inf"
    return str(int(number)) if number.is_integer() and abs(number) < _WIDEST_INTEGER else repr(number)


def _finite(number: float) -> float:
    try:
        number = float(number)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError("must be a finite number")
    if abs(number) > MAX_NUMBER:
        raise ValueError(f"must lie between {-MAX_NUMBER:g} and {MAX_NUMBER:g}")
    return number
