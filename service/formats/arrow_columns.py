"""Turn Arrow columns into customers, and answers into Arrow columns, without a Python object per value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from churn.campaigns.control_group import ACTIONS
from churn.customers.arrow_buffers import from_codes, from_flags, from_floats, from_texts, repeated_text
from churn.customers.bounded_texts import TooMuchText, bounded_texts
from churn.customers.cell_rule import MAX_TEXT_LENGTH
from churn.customers.cells import json_value
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from churn.customers.customer_id import MAX_ID_LENGTH
from churn.customers.from_arrow import is_plain, read_cells, read_values
from churn.customers.validation import Table
from service.formats.validation import ColumnRules, raise_problems
from service.http.errors import FieldProblem, TooLarge
from service.scoring.scored_batch import ScoredBatch

# Rows in one piece of a streamed answer.
PIECE_ROWS = 8_192
_ANSWER = pa.schema(
    [
        pa.field("prediction_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string()),
        pa.field("churn_probability", pa.float64(), nullable=False),
        pa.field("churn", pa.bool_(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("model_version", pa.string(), nullable=False),
    ]
)


def check_schema(schema: Any, rules: ColumnRules) -> dict[str, str]:
    """Map the contract's name of each column that is read to the schema's.

    Parameters
    ----------
    schema : pyarrow.Schema
    rules : ColumnRules

    Returns
    -------
    dict of str to str

    Raises
    ------
    Unprocessable
        If a column is unknown, there twice, or of a type that no customer's value has (a list, a date).
    """
    found = rules.columns_of(schema.names, "columns")
    wrong = [
        FieldProblem(field=f"columns.{given}", problem="must be numbers, booleans or texts")
        for given in found.values()
        if not is_plain(schema.field(given).type)
    ]
    raise_problems(wrong, len(wrong))
    return found


def bounded(name: str, column: Any, max_bytes: int) -> Any:
    """Return a column of a body, valid, in which what repeats is there once and no text is longer than its rule reads.

    Parameters
    ----------
    name : str
        In the contract.
    column : pyarrow.ChunkedArray
    max_bytes : int
        At most so many bytes once unpacked.

    Returns
    -------
    pyarrow.ChunkedArray

    Raises
    ------
    TooLarge
    pyarrow.ArrowException
        If its buffers are not what its schema says.
    """
    try:
        return bounded_texts(column, max_bytes, MAX_ID_LENGTH if name == CUSTOMER_ID else MAX_TEXT_LENGTH)
    except TooMuchText:
        raise too_large(max_bytes) from None


def too_large(max_bytes: int) -> TooLarge:
    """Return the error for a body that unpacks to more than it may."""
    return TooLarge(f"The body may have at most {max_bytes} bytes, unpacked; send it in smaller parts.")


def from_table(table: Any, rules: ColumnRules, max_bytes: int) -> CustomerColumns:
    """Validate a table.

    Parameters
    ----------
    table : pyarrow.Table
    rules : ColumnRules
    max_bytes : int
        At most so many bytes of texts.

    Returns
    -------
    CustomerColumns
        One row per customer, in the order of the body.

    Raises
    ------
    TooLarge, Unprocessable
    pyarrow.ArrowException
        If its buffers are not what its schema says.
    """
    found = check_schema(table.schema, rules)
    return from_columns(
        {name: bounded(name, table.column(given), max_bytes) for name, given in found.items()}, table.num_rows, rules
    )


def from_columns(columns: dict[str, Any], rows: int, rules: ColumnRules) -> CustomerColumns:
    """Validate columns.

    Parameters
    ----------
    columns : dict of str to pyarrow.ChunkedArray of length `rows`
        By the contract's names; `bounded`.
    rows : int
    rules : ColumnRules

    Returns
    -------
    CustomerColumns
        One row per customer, in the order of the body.

    Raises
    ------
    Unprocessable
    """
    cells = {name: read_cells(column, rules.features[name]) for name, column in columns.items() if name != CUSTOMER_ID}
    ids = read_values(columns[CUSTOMER_ID]) if CUSTOMER_ID in columns else None

    def record(row: int) -> dict[str, Any]:
        return {name: json_value(column[row].as_py()) for name, column in columns.items()}

    return rules.validate_tables([Table(rows, cells, record, "rows", ids)])


def answer_schema(batch: ScoredBatch) -> Any:
    """Return the columns that a batch is answered with."""
    return _ANSWER if batch.segments is None else _ANSWER.append(pa.field("segment", pa.string(), nullable=False))


def answer_batches(batch: ScoredBatch) -> Iterator[Any]:
    """Yield the answers as `pyarrow.RecordBatch`es of `answer_schema`, piece by piece."""
    schema = answer_schema(batch)
    for start in range(0, len(batch.prediction_ids), PIECE_ROWS):
        end = min(start + PIECE_ROWS, len(batch.prediction_ids))
        named = batch.customers.customer_ids
        yield pa.RecordBatch.from_arrays(
            [
                from_texts(batch.prediction_ids[start:end]),
                pa.nulls(end - start, pa.string()) if named is None else from_texts(named[start:end]),
                from_floats(batch.probabilities[start:end]),
                from_flags(batch.churn[start:end]),
                from_codes(batch.action_codes(slice(start, end)), ACTIONS),
                from_floats(np.full(end - start, batch.threshold)),
                repeated_text(batch.model_version, end - start),
                *([] if (found := batch.segments) is None else [from_codes(found.numbers[start:end], found.names)]),
            ],
            schema=schema,
        )


class WrittenPieces:
    """A file that is read while it is being written."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._place = 0

    def write(self, data: Any) -> int:
        """Keep `data` until it is taken."""
        piece = bytes(data)
        self._written.append(piece)
        self._place += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken

    def tell(self) -> int:
        """Return how many bytes were written in all."""
        return self._place

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Mark the file as closed."""
        self.closed = True
