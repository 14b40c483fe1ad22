"""Read Arrow columns into cells of customers, without a Python object a value.

Missing is null, or NaN (as pandas writes it). What a cell means does not depend on the column's type: `CellRule` decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.customers.arrow_buffers import floats, places
from churn.customers.cells import Cells, FeatureCells
from churn.number_format import NUMBER_PATTERN

_WITH_COMMA = NUMBER_PATTERN.replace(r"\.", ",")


def is_plain(kind: Any) -> bool:
    """Tell whether customers' values may have this Arrow type: numbers, booleans, texts, and dictionaries of these."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (is_text, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


def is_text(kind: Any) -> bool:
    """Tell whether an Arrow type is one of the three of text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def read_cells(column: Any, feature: FeatureCells) -> Cells:
    """Read a column of a plain type.

    Parameters
    ----------
    column : pyarrow.ChunkedArray, length n
    feature : FeatureCells
        Of the feature that the column holds.

    Returns
    -------
    Cells
        Of n rows.
    """
    kind = column.type
    if pa.types.is_dictionary(kind) and not is_text(kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return Cells(feature.absent(len(column)))
    if pa.types.is_dictionary(kind):
        return _read_texts(column.unify_dictionaries(), feature)
    if is_text(kind):
        # (Views have no such kernels.)
        column = column.cast(pa.string()) if pa.types.is_string_view(kind) else column
        if feature.column.kind in ("number", "integer"):
            return _read_numbers_in_texts(column, feature)
        return _read_texts(column.dictionary_encode(), feature)
    if pa.types.is_boolean(kind) and not feature.reads_booleans:
        return feature.from_objects(column.to_pylist())
    return feature.from_numbers(floats(_nearest(column) if pa.types.is_decimal(kind) else column))


def _nearest(decimals: Any) -> Any:
    # Arrow's own cast divides by a power of ten, which may miss the nearest float64; its texts are exact.
    return decimals.cast(pa.string()).cast(pa.float64())


def read_values(column: Any) -> list[Any]:
    """Return a column of a plain type as Python values; rows that share a value of a dictionary share one object."""
    return [value for chunk in column.chunks for value in python_values(chunk)]


def python_values(chunk: Any) -> Iterable[Any]:
    """Return an array as Python values; rows that share a value of a dictionary share one object."""
    if pa.types.is_dictionary(chunk.type):
        # The last entry is what place -1 finds.
        known = np.array([*chunk.dictionary.to_pylist(), None], dtype=object)
        return list(known[places(chunk)].tolist())
    # What is no customer's value, such as a list, may be of any size, and is looked at one by one.
    return list(chunk.to_pylist()) if is_plain(chunk.type) else (value.as_py() for value in chunk)


def _read_texts(column: Any, feature: FeatureCells) -> Cells:
    coded = _one(column)
    return feature.from_texts(places(coded), coded.dictionary.to_pylist())


def _read_numbers_in_texts(column: Any, feature: FeatureCells) -> Cells:
    # pyarrow takes the nearest float64, as Python does, and reads what the rule reads, but for infinities and NaN.
    if not feature.reads_plain_numbers:
        return _read_numbers_and_others(column, feature)
    try:
        read = floats(column.cast(pa.float64()))
    except pa.ArrowInvalid:
        return _read_numbers_and_others(column, feature)
    if np.count_nonzero(np.isnan(read)) != column.null_count:
        return _read_numbers_and_others(column, feature)
    return feature.from_numbers(read)


def _read_numbers_and_others(column: Any, feature: FeatureCells) -> Cells:
    with_comma = not feature.reads_plain_numbers
    proper = pc.match_substring_regex(column, f"^{_WITH_COMMA if with_comma else NUMBER_PATTERN}$")
    numbers = pc.if_else(proper, column, pa.nulls(1, pa.string())[0])
    numbers = pc.replace_substring(numbers, ",", ".") if with_comma else numbers
    cells = feature.from_numbers(floats(numbers.cast(pa.float64())))
    odd = pc.invert(proper)
    # Blanks around a number, texts that mean a missing value, and what is wrong.
    others = _read_texts(column.filter(odd).dictionary_encode(), feature)
    if not len(others.values):
        return cells
    rows = np.flatnonzero(floats(odd) == 1)
    values, doubtful = cells.values.copy(), np.zeros(len(column), np.bool_) if cells.doubtful is None else cells.doubtful
    values[rows] = others.values
    if others.doubtful is not None:
        doubtful[rows] = others.doubtful
    return Cells(values, doubtful if doubtful.any() else None)


def _one(column: Any) -> Any:
    """Return a chunked array as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
