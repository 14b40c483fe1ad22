"""Customers and answers as Arrow IPC: the streaming format, and the file format, a stream between magic words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from churn.customers.columns import CustomerColumns
from service.formats.arrow_columns import WrittenPieces, answer_batches, answer_schema, check_schema, from_table, too_large
from service.formats.json_text import refuse
from service.formats.records import check_rows
from service.formats.size_checks.arrow import Malformed, Weights
from service.formats.validation import ColumnRules
from service.http.errors import TooLarge
from service.scoring.scored_batch import ScoredBatch

_MAGIC, _PADDED = b"ARROW1", 8


def read_arrow(body: bytes, rules: ColumnRules, max_rows: int, max_bytes: int, *, file: bool) -> CustomerColumns:
    """Read a stream or a file of record batches.

    A file is read in its own order, as the stream that it holds: its footer is an index that we do not need to trust.

    Parameters
    ----------
    body : bytes
    rules : ColumnRules
    max_rows : int
        At most so many customers, at least 1.
    max_bytes : int
        At most so many bytes once unpacked.
    file : bool
        Whether the body is in the file format; otherwise it is a stream.

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
    if file and not (body.startswith(_MAGIC) and body.endswith(_MAGIC)):
        refuse("body", "must be an Arrow IPC file")
    stream = memoryview(body)[_PADDED:] if file else memoryview(body)
    try:
        _check_sizes(stream, max_bytes)
        table = _read(stream, rules, max_rows)
        check_rows(table.num_rows, max_rows)
        return from_table(table, rules, max_bytes)
    except (pa.ArrowException, Malformed, OSError, UnicodeDecodeError, OverflowError):
        # Not the library's own words: they may quote the body.
        refuse("body", "is not what its Arrow messages say it is: broken, cut off, or of a type that is not understood")


def _check_sizes(stream: memoryview, max_bytes: int) -> None:
    messages = pa.ipc.MessageReader.open_stream(pa.py_buffer(stream))
    weights = Weights(max_bytes)
    while True:
        try:
            message = messages.read_next_message()
        except StopIteration:
            return
        if not weights.add(message.metadata.to_pybytes(), memoryview(message.body) if message.body else b""):
            raise too_large(max_bytes)


def _read(stream: memoryview, rules: ColumnRules, max_rows: int) -> Any:
    """Return a table of the columns that are read."""
    batches: list[Any] = []
    rows = 0
    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        found = check_schema(reader.schema, rules)
        wanted = [reader.schema.get_field_index(given) for given in found.values()]
    # Of what nobody reads nothing is unpacked.
    options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=wanted)
    with pa.ipc.open_stream(pa.py_buffer(stream), options=options) as reader:
        for batch in reader:
            rows += batch.num_rows
            if rows > max_rows:
                raise TooLarge(f"At most {max_rows} customers in one request.")
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


def arrow_answer(batch: ScoredBatch, *, file: bool) -> Iterator[bytes]:
    """Encode a batch as an Arrow IPC stream or file, piece by piece.

    Parameters
    ----------
    batch : ScoredBatch
    file : bool
        Whether to write the file format; otherwise a stream.

    Yields
    ------
    bytes
    """
    sink = WrittenPieces()
    writer = (pa.ipc.new_file if file else pa.ipc.new_stream)(pa.PythonFile(sink, mode="w"), answer_schema(batch))
    for piece in answer_batches(batch):
        writer.write_batch(piece)
        yield sink.take()
    writer.close()
    yield sink.take()
