"""Customers and answers as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from service.formats.arrow_columns import (
    WrittenPieces,
    answer_batches,
    answer_schema,
    bounded,
    check_schema,
    from_columns,
    too_large,
)
from service.formats.json_text import refuse
from service.formats.records import check_rows
from service.formats.size_checks.parquet import ParquetSizes, read_sizes
from service.formats.size_checks.thrift import Malformed
from service.formats.validation import ColumnRules
from service.scoring.scored_batch import ScoredBatch

# Rows of a column whose texts share prefixes.
ROWS_AT_ONCE = 8_192
# The writer makes room for a page of each column; by default for 1 MB.
PAGE_BYTES = 65_536
# Columns of an answer that repeat a few values.
REPEATED_COLUMNS = ["action", "threshold", "model_version", "segment"]


def read_parquet(body: bytes, rules: ColumnRules, max_rows: int, max_bytes: int) -> CustomerColumns:
    """Read a Parquet file.

    Parameters
    ----------
    body : bytes
    rules : ColumnRules
    max_rows : int
        At most so many customers, at least 1.
    max_bytes : int
        At most so many bytes once unpacked.

    Returns
    -------
    CustomerColumns
        One row per customer, in the order of the body.

    Raises
    ------
    TooLarge
        More than `max_rows` rows, or more than `max_bytes` once unpacked; raised before anything is unpacked.
    Unprocessable
    """
    try:
        sizes = read_sizes(body)
        check_rows(sizes.rows, max_rows)
        if sizes.unpacked_bytes > max_bytes:
            raise too_large(max_bytes)
        # Texts stay as a dictionary and its indices: a hundred thousand times the same long text costs one.
        texts = sorted(name for name in sizes.columns if rules.names.find(name))
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts)
        columns = {
            name: _column(file, name, given, sizes, max_bytes) for name, given in check_schema(file.schema_arrow, rules).items()
        }
        if not columns:
            return from_columns({}, sizes.rows, rules)
        rows = max(map(len, columns.values()))
        if rows != sizes.rows or any(len(column) != rows for column in columns.values()):
            raise Malformed("the columns have other rows than the file")
        return from_columns(columns, rows, rules)
    except (pa.ArrowException, Malformed, OSError, UnicodeDecodeError, OverflowError):
        # Not the library's own words: they may quote the body.
        refuse("body", "is not the Parquet it says it is: broken, cut off, or of a type that is not understood")


def _column(file: Any, name: str, given: str, sizes: ParquetSizes, max_bytes: int) -> Any:
    """Read one column: what nobody reads is not unpacked, and of what one column takes too much the next needs nothing."""
    if not sizes.shares_prefixes:
        return _without_decimals(name, bounded(name, file.read(columns=[given], use_threads=False).column(0), max_bytes))
    # No text is longer than a page.
    at_once = max(1, max_bytes // max(1, sizes.largest_page))
    chunks: list[Any] = []
    left = max_bytes
    for batch in file.iter_batches(min(at_once, ROWS_AT_ONCE), columns=[given], use_threads=False):
        left -= batch.get_total_buffer_size()
        if left < 0:
            raise too_large(max_bytes)
        chunks += bounded(name, pa.chunked_array([batch.column(0)]), max_bytes).chunks
    return pa.chunked_array(chunks, chunks[0].type if chunks else pa.string())


def _without_decimals(name: str, column: Any) -> Any:
    """Return decimals as the nearest float64, which takes a quarter of the memory; but not those that are ids."""
    return column.cast(pa.float64()) if name != CUSTOMER_ID and pa.types.is_decimal(column.type) else column


def parquet_answer(batch: ScoredBatch) -> Iterator[bytes]:
    """Encode a batch as a Parquet file, a row group at a time."""
    sink = WrittenPieces()
    # A dictionary of what is different in each row costs time and saves no byte; nobody skips pages of an answer by statistics.
    with pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"),
        answer_schema(batch),
        compression="snappy",
        use_dictionary=REPEATED_COLUMNS,
        write_statistics=False,
        data_page_size=PAGE_BYTES,
    ) as writer:
        for piece in answer_batches(batch):
            writer.write_batch(piece)
            yield sink.take()
    yield sink.take()
