"""What cells mean: text or native values of a file become floats, texts or None; what cannot is noted as a problem."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from churn.contract import Column
from churn.data.files import TabularFile
from churn.errors import ContractError, Problem

MISSING = pa.array(["", "na", "nan", "null", "none"])
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
LISTED_PROBLEMS = 20
SHOWN_CHARACTERS = 60


class Problems:
    """What is wrong with one file: all of it counted, the first rows of it listed."""

    def __init__(self, sheet: TabularFile) -> None:
        self.sheet = sheet
        self.total = 0
        self._found: list[tuple[int, int, Problem]] = []

    def note(self, wrong: NDArray[np.bool_], cells: Any, column: str, rule: str) -> None:
        """Note the rows where `wrong` is true; `cells` are the values to show, shape as `wrong`."""
        rows = np.flatnonzero(wrong)
        self.total += len(rows)
        for row in rows[:LISTED_PROBLEMS].tolist():
            cell = cells.iloc[row] if isinstance(cells, pd.Series) else cells[row].as_py()
            shown = str(cell)
            shown = shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"
            self._found.append((row, len(self._found), Problem(rule, column=column, value=None if cell is None else shown)))

    def take(self, others: Problems) -> None:
        """Note what others noted about the same file."""
        self.total += others.total
        self._found += [(row, len(self._found) + place, problem) for row, place, problem in others._found]

    def raise_any(self) -> None:
        """Raise ContractError if anything was noted."""
        if self.total:
            first = heapq.nsmallest(LISTED_PROBLEMS, self._found)
            lines = self.sheet.lines([row for row, _, _ in first])
            listed = [Problem(p.rule, column=p.column, row=lines.get(row), value=p.value) for row, _, p in first]
            raise ContractError(str(self.sheet.path), listed, total=self.total)


def convert(cells: Any, column: Column, problems: Problems) -> pd.Series:
    """Read one column: float64 (missing as NaN) for numbers and flags, text (missing as None) for categories.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray
        As `read_tabular_file` gives it.
    """
    match column.kind:
        case "category":
            values = texts(cells, spared=column.levels)
        case "flag":
            values = read_flags(cells, column.true_level, column.false_level, column.name, problems)
        case _:
            values = _read_numbers(cells, column.name, problems)
    if not column.nullable:
        # A flag that is no level is noted already; here only what was nothing from the start.
        nothing = _as_text(cells, spared=column.levels).is_null().to_numpy()
        problems.note(nothing, cells, column.name, "must not be missing")
    return values


def texts(cells: Any, *, spared: tuple[str, ...] = ()) -> pd.Series:
    """Read texts without the blanks around them, None where missing; `spared` are levels that only look missing (NA)."""
    return pd.Series(_as_text(cells, spared=spared).to_numpy(zero_copy_only=False), dtype=object)


def read_flags(cells: Any, true_level: str, false_level: str, name: str, problems: Problems) -> pd.Series:
    """Read 1.0, 0.0 or NaN; the levels, true/false and 1/0 are understood in any case of letters."""
    spelled = pc.utf8_lower(_as_text(cells))
    # The contract's own levels win: a column `stayed` may say False for those who left.
    yes = _is_in(spelled, {"true", "1", "1.0"} - {false_level.lower()} | {true_level.lower()})
    no = _is_in(spelled, {"false", "0", "0.0"} - {true_level.lower()} | {false_level.lower()})
    missing = spelled.is_null().to_numpy()
    problems.note(~(yes | no | missing), cells, name, f"must be {true_level} or {false_level}")
    return pd.Series(np.where(yes, 1.0, np.where(no, 0.0, np.nan)))


def _read_numbers(cells: Any, name: str, problems: Problems) -> pd.Series:
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type):
        # Not safe: whole numbers above 2^53 are rounded, not refused.
        return _finite(pc.cast(cells, pa.float64(), safe=False), cells, name, problems)
    text = _as_text(cells)
    if pa.types.is_boolean(cells.type) or pa.types.is_temporal(cells.type):
        problems.note(text.is_valid().to_numpy(), cells, name, "must be a number")
        return pd.Series(np.full(len(cells), np.nan))
    # pyarrow takes the nearest float64, as Python does, but also `inf` and the like, which are no measurements.
    proper = pc.match_substring_regex(text, NUMBER)
    problems.note(pc.fill_null(pc.invert(proper), False).to_numpy(), cells, name, "must be a number")
    return _finite(pc.cast(pc.if_else(proper, text, None), pa.float64()), cells, name, problems)


def _finite(numbers: Any, cells: Any, name: str, problems: Problems) -> pd.Series:
    values = np.asarray(numbers.to_numpy(), dtype=np.float64)
    infinite = np.isinf(values)
    problems.note(infinite, cells, name, "must be a finite number")
    return pd.Series(np.where(infinite, np.nan, values))


def _as_text(cells: Any, *, spared: tuple[str, ...] = ()) -> Any:
    """Give trimmed text, null where missing; whole floats without their point (415.0, an integer that met a null)."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)
        whole = pc.and_(pc.equal(pc.floor(cells), cells), pc.less(pc.abs(cells), 2.0**53))
        whole_text = pc.cast(pc.cast(pc.if_else(whole, cells, None), pa.int64()), pa.string())
        cells = pc.if_else(whole, whole_text, pc.cast(cells, pa.string()))
    elif not pa.types.is_string(cells.type):
        try:
            cells = cells.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            # Lists, structs, bytes: no customer's value has such a type, and the rules will say so.
            cells = pa.chunked_array([[None if cell is None else str(cell) for cell in cells.to_pylist()]], pa.string())
    text = pc.utf8_trim_whitespace(cells)
    missing = pc.is_in(pc.utf8_lower(text), MISSING)
    if spared:
        missing = pc.and_not(missing, pc.is_in(text, pa.array(spared, pa.string())))
    return pc.if_else(missing, None, text)


def _is_in(text: Any, values: set[str]) -> NDArray[np.bool_]:
    return np.asarray(pc.is_in(text, pa.array(sorted(values), pa.string())).to_numpy(), dtype=np.bool_)
