"""Customers and answers as Parquet."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from churn.customers.columns import CustomerColumns
from service.formats.arrow_columns import ANSWER, answer_batches, check_schema, from_table
from service.formats.json_text import refuse
from service.formats.records import check_rows
from service.formats.size_checks.parquet import read_sizes
from service.formats.size_checks.thrift import Malformed
from service.formats.validation import ColumnRules
from service.http.errors import TooLarge
from service.scoring.served_model import ScoredBatch


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
            raise TooLarge(f"The body may have at most {max_bytes} bytes, unpacked.")
        # Texts stay as a dictionary and its indices: a hundred thousand times the same long text costs one.
        texts = sorted(name for name in sizes.columns if rules.names.find(name))
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=texts)
        check_schema(file.schema_arrow, rules)
        table = file.read(use_threads=False)
        check_rows(table.num_rows, max_rows)
        return from_table(table, rules)
    except (pa.ArrowException, Malformed, OSError, UnicodeDecodeError, OverflowError):
        # Not the library's own words: they may quote the body.
        refuse("body", "is not the Parquet it says it is: broken, cut off, or of a type that is not understood")


def parquet_answer(batch: ScoredBatch) -> bytes:
    """Encode a batch as a Parquet file."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, ANSWER, compression="snappy") as writer:
        for piece in answer_batches(batch):
            writer.write_batch(piece)
    return bytes(sink.getvalue())
