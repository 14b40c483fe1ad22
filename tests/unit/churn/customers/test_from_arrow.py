"""An Arrow column of any plain type is read as its Python values are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from churn.contract import Column
from churn.customers.cells import FeatureCells, json_value
from churn.customers.from_arrow import is_plain, is_text, python_values, read_cells, read_values
from churn.number_format import NumberFormat

COLUMNS = [
    Column(name="n", source="N", kind="number", minimum=0, maximum=100, nullable=True),
    Column(name="w", source="W", kind="integer"),
    Column(name="f", source="F", kind="flag", nullable=True),
    Column(name="c", source="C", kind="category", levels=("OH", "KS", "5", "true"), nullable=True),
    Column(name="comma", source="Comma", kind="number", number_format=NumberFormat(decimal=","), nullable=True),
    Column(name="stayed", source="Stayed", kind="flag", true_level="1", false_level="2", nullable=True),
]
TEXTS = ["5", " 5 ", "1,5", "1.5", "x", "", None, "OH", "Yes", "NA", "inf", "1e2", "-1", "nan", "true", "False"]
ARRAYS = {
    "string": pa.array(TEXTS),
    "numbers in texts": pa.array(["1.5", "2", None]),
    "large": pa.array(TEXTS, pa.large_string()),
    "view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "double": pa.array([1.0, 0.5, None, float("nan"), 101.0, 5.0]),
    "int": pa.array([0, 1, 5, None], pa.int16()),
    "uint": pa.array([0, 1, 5], pa.uint64()),
    "dictionary of numbers": pa.array([1.0, 5.0, None, 1.0]).dictionary_encode(),
    "bool": pa.array([True, False, None]),
    "decimal": pa.array([Decimal("0.1"), Decimal("5.00"), None], pa.decimal128(10, 2)),
    "null": pa.nulls(3),
    "empty": pa.array([], pa.float64()),
}


def split(array: Any, chunks: int) -> Any:
    size = -(-len(array) // chunks) or 1
    parts = [array[start : start + size] for start in range(0, len(array), size)] or [array]
    return pa.chunked_array(parts)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_is_read_as_its_python_values(name: str, column: Column) -> None:
    feature, array = FeatureCells(column), ARRAYS[name]
    expected = feature.from_objects([json_value(value) for value in array.to_pylist()])
    doubts = np.zeros(len(array), bool) if expected.doubtful is None else expected.doubtful
    for chunks in (1, 2):
        found = read_cells(split(array, chunks), feature)
        assert (np.zeros(len(array), bool) if found.doubtful is None else found.doubtful).tolist() == doubts.tolist()
        np.testing.assert_array_equal(found.values[~doubts], expected.values[~doubts])
        assert found.values.dtype == expected.values.dtype


def test_plain_are_numbers_booleans_texts_and_dictionaries_of_them() -> None:
    assert all(is_plain(array.type) for array in ARRAYS.values())
    for kind in (
        pa.list_(pa.int8()),
        pa.date32(),
        pa.binary(),
        pa.struct([]),
        pa.timestamp("s"),
        pa.dictionary(pa.int8(), pa.date32()),
    ):
        assert not is_plain(kind)
    assert [is_text(kind) for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.int8())] == [
        True
    ] * 3 + [False] * 2


@pytest.mark.parametrize("name", ARRAYS)
def test_values_are_python_s_own(name: str) -> None:
    array = ARRAYS[name]
    expected = array.to_pylist()
    assert [repr(value) for value in read_values(split(array, 2))] == [repr(value) for value in expected]
    assert [repr(value) for value in python_values(array)] == [repr(value) for value in expected]


def test_rows_that_share_a_value_of_a_dictionary_share_one_object() -> None:
    first, second = list(python_values(pa.array(["a long text"] * 2).dictionary_encode()))
    assert first is second
    assert list(python_values(pa.array([[1], None]))) == [[1], None]
