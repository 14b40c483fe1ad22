"""Arrow columns into customers, and answers into Arrow columns, without a Python object a value.

Arrow has types, so they are kept to: text is no number, a boolean is no number. Missing is null, or NaN (as pandas writes it).
A category may come as text, as a dictionary of texts, or as whole numbers where its levels are such.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from churn.customers import CustomerColumns
from service.columns import CUSTOMER_ID, ColumnRules, Table, raise_any
from service.feature_cells import Cells, FeatureCells
from service.predictor import ScoredBatch
from service.problems import FieldProblem

# Rows in one piece of a streamed answer.
PIECE_ROWS = 65_536
ANSWER = pa.schema(
    [
        pa.field("prediction_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string()),
        pa.field("churn_probability", pa.float64(), nullable=False),
        pa.field("churn", pa.bool_(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
    ]
)


def check_schema(schema: Any, rules: ColumnRules) -> None:
    """Raise Unprocessable if a column is foreign, there twice, or of a type that no customer's value has (a list, a date)."""
    rules.check_names(schema.names, "columns")
    wrong = [
        FieldProblem(field=f"columns.{field.name}", problem="must be numbers, booleans or texts")
        for field in schema
        if not _is_plain(field.type)
    ]
    raise_any(wrong, len(wrong))


def from_table(table: Any, rules: ColumnRules) -> CustomerColumns:
    """Validate a `pyarrow.Table` whose schema was checked.

    Raises
    ------
    Unprocessable
    pyarrow.ArrowException
        If its buffers are not what its schema says.
    """
    table.validate(full=True)
    cells = {name: _cells(table.column(name), rules.features[name]) for name in table.column_names if name != CUSTOMER_ID}
    ids = table.column(CUSTOMER_ID).to_pylist() if CUSTOMER_ID in table.column_names else None
    columns = {name: table.column(name) for name in table.column_names}

    def record(row: int) -> dict[str, Any]:
        return {name: _spelled(column[row].as_py(), rules.features.get(name)) for name, column in columns.items()}

    return rules.customers(Table(table.num_rows, cells, record, "rows", ids))


def _is_plain(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (_is_text, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _cells(column: Any, feature: FeatureCells) -> Cells:
    kind = column.type
    if pa.types.is_dictionary(kind) and not _is_text(kind.value_type):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return Cells(feature.absent(len(column)))
    if pa.types.is_dictionary(kind) or _is_text(kind):
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


def _spelled(value: Any, feature: FeatureCells | None) -> Any:
    if isinstance(value, Decimal):
        value = float(value)
    return value if feature is None else feature.spelled(value)


def answer_batches(batch: ScoredBatch) -> Iterator[Any]:
    """Give the answers as `pyarrow.RecordBatch`es of `ANSWER`, piece by piece."""
    for start in range(0, len(batch.prediction_ids), PIECE_ROWS):
        end = min(start + PIECE_ROWS, len(batch.prediction_ids))
        named = batch.customers.customer_ids
        yield pa.RecordBatch.from_arrays(
            [
                pa.array(batch.prediction_ids[start:end], pa.string()),
                pa.nulls(end - start, pa.string()) if named is None else pa.array(named[start:end], pa.string()),
                pa.array(batch.probabilities[start:end]),
                pa.array(batch.churn[start:end]),
                pa.repeat(batch.threshold, end - start),
                pa.repeat(batch.model_version, end - start),
            ],
            schema=ANSWER,
        )
