"""Arrow columns into cells of customers, without a Python object a value.

Arrow has types, so they are kept to: text is no number, a boolean is no number. Missing is null, or NaN (as pandas writes it).
A category may come as text, as a dictionary of texts, or as whole numbers where its levels are such.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from churn.customers.cells import Cells, FeatureCells


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
    """Read a `pyarrow.ChunkedArray` of a plain type."""
    kind = column.type
    if pa.types.is_dictionary(kind) and not is_text(kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return Cells(feature.absent(len(column)))
    if pa.types.is_dictionary(kind) or is_text(kind):
        coded = _one(column.unify_dictionaries() if pa.types.is_dictionary(kind) else _encoded(column))
        return feature.from_texts(coded.indices.fill_null(-1).to_numpy(), coded.dictionary.to_pylist())
    if pa.types.is_boolean(kind):
        if feature.column.kind != "flag":
            return feature.from_objects(column.to_pylist())
        column = column.cast(pa.uint8())
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    return feature.from_numbers(np.asarray(_one(column).to_numpy(zero_copy_only=False), dtype=np.float64))


def _encoded(column: Any) -> Any:
    # (Views have no such kernel.)
    return (column.cast(pa.string()) if pa.types.is_string_view(column.type) else column).dictionary_encode()


def _one(column: Any) -> Any:
    """Give a chunked array as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def spell_value(value: Any, feature: FeatureCells | None) -> Any:
    """Spell a value that Arrow gave as JSON would."""
    if isinstance(value, Decimal):
        value = float(value)
    return value if feature is None else feature.spelled(value)
