"""A column of any Arrow type is read as its cells are, one by one, by the rule of its kind."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churn.contract import Column, Target
from churn.customers.cell_rule import CellRule
from churn.data.columns import read_column, read_id_column, read_leniently, read_target

NUMBER = Column(name="n", source="N", kind="number", minimum=0, maximum=100, nullable=True)
WHOLE = Column(name="w", source="W", kind="integer", minimum=0)
FLAG = Column(name="f", source="F", kind="flag", nullable=True)
LEVEL = Column(name="l", source="L", kind="category", levels=("OH", "KS", "7"), nullable=True)
TEXTS: list[Any] = [" 5 ", "5", "-1", "101", "x", "", None, "NA", "1e1", "nan", "5"]


def chunked(*chunks: Any) -> pa.ChunkedArray:
    return pa.chunked_array([chunk if isinstance(chunk, pa.Array) else pa.array(chunk) for chunk in chunks])


def read(cells: Any, column: Column) -> tuple[list[Any], list[tuple[int, str, Any]]]:
    found: list[tuple[int, str, Any]] = []
    values = read_column(cells, column, lambda *problem: found.append(problem))
    return [None if value is None or value != value else value for value in values], found  # noqa: PLR0124 -- NaN


def one_by_one(cells: list[Any], column: Column) -> tuple[list[Any], list[tuple[int, str, Any]]]:
    rule, values, found = CellRule(column), list[Any](), list[tuple[int, str, Any]]()
    for row, cell in enumerate(cells):
        try:
            value = rule.read(cell)
        except ValueError as error:
            value = None
            found.append((row, str(error), cell))
        values.append(float(value) if column.kind != "category" and value is not None else value)
    return values, found


@pytest.mark.parametrize("column", [NUMBER, WHOLE, FLAG, LEVEL], ids=lambda column: column.kind)
@pytest.mark.parametrize(
    "cells",
    [
        TEXTS,
        [1.0, 2.5, -1.0, 101.0, None],
        [0, 1, 7, None],
        [True, False, None],
        ["Yes", "no", "OH", "oh", None, "7"],
        [None, None],
        [Decimal("5.0"), Decimal("5.5"), None],
    ],
)
def test_a_column_is_read_as_its_cells_one_by_one(cells: list[Any], column: Column) -> None:
    expected = one_by_one([float(cell) if isinstance(cell, Decimal) else cell for cell in cells], column)
    assert read(chunked(cells), column) == expected
    half = len(cells) // 2
    whole = pa.array(cells)
    assert read(chunked(whole[:half], whole[half:]), column) == expected
    if pa.types.is_string(whole.type):
        assert read(chunked(cells).dictionary_encode(), column) == expected


def test_a_type_that_no_customer_s_value_has_is_refused_cell_by_cell() -> None:
    values, found = read(chunked([date(2026, 3, 1), None]), NUMBER)
    assert values == [None, None]
    assert [row for row, _, _ in found] == [0]
    assert read(chunked(pa.array([[1], [2]])), NUMBER)[0] == [None, None]


def test_what_must_not_be_missing_is_a_problem_where_it_is() -> None:
    column = NUMBER.model_copy(update={"nullable": False})
    assert read(chunked([1.0, None]), column) == one_by_one([1.0, None], column)


def test_numbers_are_float64_and_categories_objects() -> None:
    assert read_column(chunked([1, 2]), NUMBER, print).dtype == np.float64
    assert read_column(chunked(["OH"]), LEVEL, print).dtype == object


def test_read_leniently_unknown_levels_and_numbers_out_of_bounds_stay_and_the_rest_is_counted() -> None:
    values, unreadable = read_leniently(chunked(TEXTS), NUMBER)
    assert [None if value != value else value for value in values] == [5, 5, -1, 101, None, None, None, None, 10, None, 5]  # noqa: PLR0124
    assert unreadable == 1
    levels, wrong = read_leniently(chunked(["OH", "Texas", None, ""]), LEVEL)
    assert (levels.tolist(), wrong) == (["OH", "Texas", None, None], 0)
    fractions, wrong = read_leniently(chunked([1.5, -2.0, None]), WHOLE)
    assert (fractions[:2].tolist(), wrong) == ([1.5, -2.0], 0)
    required = NUMBER.model_copy(update={"nullable": False})
    assert read_leniently(chunked([None, "1"]), required)[1] == 0


def test_an_outcome_is_read_by_its_own_two_levels() -> None:
    target = Target(column="status", source="Status", true_level="Left", false_level="Stayed")
    found: list[Any] = []
    values = read_target(chunked(["Left", "Stayed", None, "x"]), target, lambda *problem: found.append(problem))
    assert values[:2].tolist() == [1.0, 0.0]
    assert values[2:].isna().all()
    assert [row for row, _, _ in found] == [3]


def test_ids_are_texts_and_what_is_none_is_a_problem() -> None:
    found: list[Any] = []
    values = read_id_column(chunked(["a", " b ", "7.0", None, "x\n\ny"]), lambda *problem: found.append(problem))
    assert values.tolist() == ["a", "b", "7", None, None]
    assert [(row, rule) for row, rule, _ in found] == [(4, "must not contain control characters")]
