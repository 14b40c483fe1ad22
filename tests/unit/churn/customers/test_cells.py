"""Columns read at once have the verdict that each cell has alone, whatever form they come in."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from churn.contract import Column
from churn.customers.cell_rule import CellRule
from churn.customers.cells import Cells, FeatureCells, json_value
from churn.number_format import NumberFormat

COLUMNS = [
    Column(name="n", source="N", kind="number", minimum=0, maximum=100, nullable=True),
    Column(name="free", source="Free", kind="number", nullable=True),
    Column(name="w", source="W", kind="integer", minimum=-5, maximum=10),
    Column(name="f", source="F", kind="flag", nullable=True),
    Column(name="g", source="G", kind="flag", true_level="1", false_level="2", nullable=True),
    Column(name="c", source="C", kind="category", levels=("OH", "KS", "415", "007", "-3"), nullable=True),
    Column(name="many", source="Many", kind="category", levels=tuple(map(str, range(12))), nullable=True),
    Column(name="comma", source="Comma", kind="number", number_format=NumberFormat(decimal=","), nullable=True),
]
ODD: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 415, 415.0, 1.0, 0.5, -0.0, 100, 100.0, 100.0001, 10, 10.5, 1e300, -5, -6, 7, 11, 12),
    *(
        "",
        " ",
        "OH",
        "oh",
        " KS ",
        "415",
        "415.0",
        "7",
        "007",
        "-3",
        "Yes",
        "yes",
        "NO",
        "No",
        "1",
        "2",
        "1.5",
        "1,5",
        "1.234",
        "NA",
    ),
    *("nan", "inf", "x", "1e2", [1], {"a": 1}, b"OH", 2**60, "true", "False"),
]
NUMBERS = [
    None,
    0.0,
    1.0,
    2.0,
    415.0,
    0.5,
    -1.0,
    100.0,
    100.5,
    10.0,
    11.0,
    -5.0,
    -6.0,
    7.0,
    -3.0,
    float("inf"),
    1e15,
    1e16,
    1e300,
]


def alone(column: Column, cells: list[Any]) -> tuple[list[Any], list[bool]]:
    rule, values, doubts = CellRule(column), list[Any](), list[bool]()
    for cell in cells:
        try:
            value = rule.read(cell)
            doubts.append(False)
        except ValueError:
            value = None
            doubts.append(True)
        if column.kind == "category":
            values.append(-1 if value is None else column.levels.index(value))
        else:
            values.append(None if value is None else float(value))
    return values, doubts


def plain(cells: Cells, rows: int) -> tuple[list[Any], list[bool]]:
    doubts = [False] * rows if cells.doubtful is None else cells.doubtful.tolist()
    assert cells.doubtful is None or cells.doubtful.any()
    values = [None if isinstance(value, float) and np.isnan(value) else value for value in cells.values.tolist()]
    return values, doubts


def agrees(found: tuple[list[Any], list[bool]], expected: tuple[list[Any], list[bool]]) -> bool:
    """What a doubtful cell holds means nothing."""
    same = [one == other or doubt for one, other, doubt in zip(found[0], expected[0], expected[1], strict=True)]
    return all(same) and found[1] == expected[1]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_python_values_have_the_verdict_that_each_has_alone(column: Column) -> None:
    feature, rng = FeatureCells(column), random.Random(3)  # noqa: S311 -- the same cells each time
    nullable = column.model_copy(update={"nullable": True}) if column.kind == "integer" else column
    lists = [
        ODD,
        [cell for cell in ODD if isinstance(cell, int | float)],
        [cell for cell in ODD if isinstance(cell, str)],
        [None, None],
        [],
    ]
    lists += [[cell] for cell in ODD] + [rng.choices(ODD, k=6) for _ in range(40)]
    for cells in lists:
        found = plain(feature.from_objects(cells), len(cells))
        assert agrees(found, alone(nullable, cells)), cells


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_numbers_have_the_verdict_that_each_has_alone(column: Column) -> None:
    feature, rng = FeatureCells(column), random.Random(4)  # noqa: S311 -- the same cells each time
    for cells in [NUMBERS, [None] * 3, [], *([cell] for cell in NUMBERS), *(rng.choices(NUMBERS, k=4) for _ in range(60))]:
        values = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
        kept = values.copy()
        found = plain(feature.from_numbers(values), len(cells))
        assert agrees(found, alone(column, cells)), cells
        np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_texts_that_repeat_have_it_too(column: Column) -> None:
    texts = [cell for cell in ODD if isinstance(cell, str)]
    places = np.array([*range(len(texts)), -1, 0, -1])
    cells = [texts[place] if place >= 0 else None for place in places.tolist()]
    found = plain(FeatureCells(column).from_texts(places, texts), len(cells))
    assert agrees(found, alone(column, cells))


def test_what_is_not_a_number_among_numbers_is_left_to_the_rule() -> None:
    feature = FeatureCells(COLUMNS[0])
    assert plain(feature.from_objects([1.0, float("nan"), None]), 3)[1] == alone(COLUMNS[0], [1.0, float("nan"), None])[1]
    assert feature.from_objects([1.0, None]).doubtful is None


@pytest.mark.parametrize(("column", "value"), [(COLUMNS[0], np.nan), (COLUMNS[5], -1)])
def test_an_absent_column_is_missing_everywhere(column: Column, value: float) -> None:
    feature = FeatureCells(column)
    absent = feature.absent(2)
    np.testing.assert_array_equal(absent, [value, value])
    assert feature.missing(absent).tolist() == [True, True]
    assert feature.missing(feature.from_objects([column.levels[0] if column.levels else 1]).values).tolist() == [False]
    assert absent.dtype == (np.int32 if column.levels else np.float64)


def test_a_value_is_kept_as_its_code() -> None:
    number, flag, level = (FeatureCells(COLUMNS[place]) for place in (0, 3, 5))
    assert (number.coded(1.5), flag.coded(True), level.coded("KS"), level.coded(None)) == (1.5, 1.0, 1, -1)
    assert np.isnan(number.coded(None))


def test_a_typed_value_is_what_json_would_have() -> None:
    assert [json_value(value) for value in (Decimal("1.5"), Decimal("NaN"), float("nan"), 1.5, "x", None, 7)] == [
        1.5,
        None,
        None,
        1.5,
        "x",
        None,
        7,
    ]
