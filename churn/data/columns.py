"""Read a column of a file into a series, by the rules of `churn.customers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churn.contract import Column, Target
from churn.customers.cell_rule import CellRule
from churn.customers.cells import FeatureCells, json_value
from churn.customers.customer_id import read_id
from churn.customers.from_arrow import is_plain, python_values, read_cells
from churn.data.row_time import as_times, read_time

# Called with each cell that breaks a rule: its row from 0, the rule, and the cell.
OnProblem = Callable[[int, str, Any], None]


def read_column(cells: Any, column: Column, on_problem: OnProblem) -> pd.Series:
    """Read one column.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray, length n
        As `read_tabular_file` gives it.
    column : Column
    on_problem : callable
        Called for each cell that breaks a rule, in the order of the rows; what is returned holds a missing value there.

    Returns
    -------
    pandas.Series, length n
        float64 (missing as NaN) for numbers and flags, text (missing as None) for categories.
    """
    rule = CellRule(column)
    if column.kind == "category":
        return _read_each(cells, rule.read, on_problem)
    feature = FeatureCells(column)
    if is_plain(cells.type):
        values, doubtful = read_cells(cells, feature)
        values = values.copy()
        undecided = np.zeros(len(values), np.bool_) if doubtful is None else doubtful
        if column.required:
            undecided = undecided | np.isnan(values)
    else:
        values, undecided = np.full(len(cells), np.nan), np.ones(len(cells), np.bool_)
    rows = np.flatnonzero(undecided)
    values[rows] = np.nan
    # In one walk over the cells, as rows that share a text of a dictionary share its verdict.
    judge = _Judge(lambda cell: feature.coded(rule.read(cell)))
    for row, cell in zip(rows.tolist(), _cells(cells if len(rows) == len(cells) else cells.take(pa.array(rows))), strict=True):
        value, problem = judge(cell)
        if problem is None:
            values[row] = value
        else:
            on_problem(row, problem, cell)
    return pd.Series(values)


def read_leniently(cells: Any, column: Column) -> tuple[pd.Series, int]:
    """Read one column whatever it breaks: for comparing, not for learning.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray, length n
    column : Column

    Returns
    -------
    values : pandas.Series, length n
        As of `read_column`, but that unknown levels and numbers out of bounds stay as they are.
    unreadable : int
        Cells that say nothing that a value of this kind can be; they count as missing.
    """
    unreadable = 0

    def count(row: int, rule: str, cell: Any) -> None:
        nonlocal unreadable
        unreadable += 1

    free = column.model_copy(update={"nullable": True, "minimum": None, "maximum": None})
    if column.kind == "category":
        values = _read_each(cells, CellRule(free).parse, count)
        return values, unreadable
    if column.kind == "integer":
        free = free.model_copy(update={"kind": "number"})
    values = read_column(cells, free, count)
    return values, unreadable


def read_target(cells: Any, target: Target, on_problem: OnProblem) -> pd.Series:
    """Read what came true.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray, length n
    target : Target
    on_problem : callable
        As of `read_column`.

    Returns
    -------
    pandas.Series of float64, length n
        1.0, 0.0, or NaN where it is missing.
    """
    # No feature: its levels may say `False` for those who left, so it is made without the checks of one.
    column = Column.model_construct(
        name=target.column,
        source=target.source,
        kind="flag",
        true_level=target.true_level,
        false_level=target.false_level,
        nullable=True,
    )
    return read_column(cells, column, on_problem)


def read_id_column(cells: Any, on_problem: OnProblem) -> pd.Series:
    """Read customers' ids.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray, length n
    on_problem : callable
        As of `read_column`.

    Returns
    -------
    pandas.Series of str, length n
        None where nobody is named.
    """
    return _read_each(cells, read_id, on_problem)


def read_time_column(cells: Any, column: Column, on_problem: OnProblem) -> pd.Series:
    """Read the times that rows speak of.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray, length n
    column : Column
        Of the role `time`.
    on_problem : callable
        As of `read_column`.

    Returns
    -------
    pandas.Series of datetime64 in UTC, length n
        NaT where none is named.
    """
    return as_times(_read_each(cells, partial(read_time, missing=column.missing), on_problem))


def _read_each(cells: Any, read: Callable[[Any], Any], on_problem: OnProblem) -> pd.Series:
    judge = _Judge(read)
    values: list[Any] = []
    for row, cell in enumerate(_cells(cells)):
        value, problem = judge(cell)
        values.append(value)
        if problem is not None:
            on_problem(row, problem, cell)
    return pd.Series(values, dtype=object)


class _Judge:
    """Reads cells, the same text once."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read = read
        self._known: dict[str | bytes, tuple[Any, str | None]] = {}

    def __call__(self, cell: Any) -> tuple[Any, str | None]:
        """Return a cell's value, and the rule that it breaks, if it does."""
        if not isinstance(cell, str | bytes):
            return self._verdict(cell)
        if cell not in self._known:
            self._known[cell] = self._verdict(cell)
        return self._known[cell]

    def _verdict(self, cell: Any) -> tuple[Any, str | None]:
        try:
            return self._read(cell), None
        except ValueError as error:
            return None, str(error)


def _cells(cells: Any) -> Iterator[Any]:
    for chunk in cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]:
        yield from map(json_value, python_values(chunk))
