"""Customers and answers as Parquet."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from churn.customers import CustomerColumns
from service.columns import ColumnRules
from service.formats.arrow_columns import ANSWER, answer_batches, check_schema, from_table
from service.formats.json_text import refuse
from service.formats.parquet_sizes import Malformed, unpacked_bytes
from service.formats.records import check_rows
from service.predictor import ScoredBatch
from service.problems import TooLarge


def read_parquet(body: bytes, rules: ColumnRules, most: int, most_bytes: int) -> CustomerColumns:
    """Read a Parquet file.

    Raises
    ------
    TooLarge
        More than `most` rows, or more than `most_bytes` once unpacked; told before anything is.
    Unprocessable
    """
    try:
        metadata = pq.read_metadata(pa.BufferReader(body))
        # Texts stay as a dictionary and its indices: a hundred thousand times the same long text costs one.
        paths = {metadata.schema.column(number).path for number in range(metadata.num_columns)}
        file = pq.ParquetFile(pa.BufferReader(body), metadata=metadata, read_dictionary=sorted(rules.names & paths))
        check_schema(file.schema_arrow, rules)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        check_rows(max(metadata.num_rows, sum(group.num_rows for group in groups)), most)
        if any(group.num_rows < 0 for group in groups):
            raise Malformed("a row group has a negative number of rows")
        if _unpacked(groups, memoryview(body)) > most_bytes:
            raise TooLarge(f"The body may have at most {most_bytes} bytes, unpacked.")
        table = file.read(use_threads=False)
        check_rows(table.num_rows, most)
        return from_table(table, rules)
    except (pa.ArrowException, Malformed, OSError, UnicodeDecodeError, OverflowError):
        # Not the library's own words: they may quote the body.
        refuse("body", "is not the Parquet it says it is: broken, cut off, or of a type that is not understood")


def _unpacked(groups: list[Any], body: memoryview) -> int:
    claimed = 0
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            start = column.data_page_offset
            if column.dictionary_page_offset is not None and 0 < column.dictionary_page_offset < start:
                start = column.dictionary_page_offset
            end = start + column.total_compressed_size
            if not 0 < start <= end <= len(body):
                raise Malformed("a column lies outside of the file")
            claimed += unpacked_bytes(body[start:end])
    return claimed


def parquet_answer(batch: ScoredBatch) -> bytes:
    """Spell a batch as a Parquet file."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, ANSWER, compression="snappy") as writer:
        for piece in answer_batches(batch):
            writer.write_batch(piece)
    return bytes(sink.getvalue())
