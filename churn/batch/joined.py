"""Parts of a file into one file, which appears whole: what is read, encoded and compressed in threads is written in order."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from churn.atomic_write import sync_folder
from churn.batch.answer_file import COMPRESSION, REPEATED, SEGMENT, whole_file
from churn.batch.ordered import in_order
from churn.customers.arrow_buffers import from_texts, repeated_text
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.spreadsheet import safe_text

ZIP_LEVEL, THRESHOLD = 6, "threshold"
# How a text may begin that a spreadsheet takes for a formula; of signs beyond ASCII the first byte.
_MAY_RUN = np.frombuffer(b"=+-@\t\r\n\xef", np.uint8)


def join(parts: Sequence[Path], target: Path, threads: int) -> None:
    """Make one file of the parts that were written for it; without any, none.

    Parameters
    ----------
    parts : sequence of Path
        Parquet files, each whole, beside the target. A single one may be moved.
    target : Path
        `.parquet`, `.csv` or `.csv.gz`.
    threads : int
        Threads that read, encode and compress.

    Raises
    ------
    ChurnError
        If the target cannot be written.
    """
    if not parts:
        target.unlink(missing_ok=True)
    elif not target.name.endswith(".parquet"):
        _join_csv(parts, target, threads)
    elif len(parts) == 1:
        parts[0].replace(target)
        sync_folder(target.parent)
    else:
        _join_parquet(parts, target, threads)


def _join_parquet(parts: Sequence[Path], target: Path, threads: int) -> None:
    repeated = _repeated(parts[0])
    with whole_file(target) as staging, pq.ParquetFile(parts[0], read_dictionary=repeated) as first:
        schema = first.schema_arrow.remove_metadata()
        with pq.ParquetWriter(staging, schema, compression=COMPRESSION, use_dictionary=repeated, store_schema=False) as writer:
            for table in in_order(_read, _groups(parts), threads):
                writer.write_table(table.replace_schema_metadata(None))


def _join_csv(parts: Sequence[Path], target: Path, threads: int) -> None:
    zipped = target.suffix == ".gz"
    head = ",".join(pq.read_schema(parts[0]).names).encode() + b"\n"
    with whole_file(target) as staging, staging.open("wb") as file:
        file.write(_zip(head) if zipped else head)
        # (A zipped file may be several, one after the other.)
        for text in in_order(partial(_encode, zipped=zipped), _groups(parts), threads):
            file.write(text)


_Group = tuple[Path, int]


def _groups(parts: Sequence[Path]) -> Iterator[_Group]:
    for part in parts:
        yield from ((part, number) for number in range(pq.read_metadata(part).num_row_groups))


def _read(group: _Group) -> Any:
    path, number = group
    with pq.ParquetFile(path, read_dictionary=_repeated(path)) as file:
        return file.read_row_group(number, use_threads=False)


def _repeated(part: Path) -> list[str]:
    """Return which columns of a part say the same again and again; a segment is there only if it was asked for."""
    there = pq.read_schema(part).names
    return [name for name in REPEATED if name in there]


def _encode(group: _Group, *, zipped: bool) -> Any:
    path, number = group
    with pq.ParquetFile(path) as file:
        table = file.read_row_group(number, use_threads=False)
    for name in (CUSTOMER_ID, SEGMENT):
        place = table.schema.get_field_index(name)
        if place >= 0 and pa.types.is_string(table.column(place).type) and _may_run(table.column(place)):
            safe = from_texts([safe_text(text) for text in table.column(place).to_pylist()])
            table = table.set_column(place, name, safe)
    text = _as_csv(table)
    return _zip(text) if zipped else text


def _may_run(ids: Any) -> bool:
    """Tell whether some text begins as a formula might."""
    for chunk in ids.chunks:
        _, offsets, data = chunk.buffers()
        if data is None:
            continue
        places = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        starts = places[:-1][np.diff(places) > 0]
        if np.isin(np.frombuffer(data, np.uint8)[starts], _MAY_RUN).any():
            return True
    return False


def _as_csv(table: Any) -> Any:
    """Return a table as CSV without a header: a buffer, or bytes."""
    try:
        return _write_csv(_with_threshold_as_text(table))
    except pa.ArrowInvalid:
        # Some text needs quotes; pyarrow would put them around all texts.
        return _as_quoted_csv(table)


def _write_csv(table: Any) -> Any:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(include_header=False, quoting_style="none"))
    return sink.getvalue()


def _with_threshold_as_text(table: Any) -> Any:
    """Encode the threshold once for all rows: to encode a number in each takes a third of the time of all columns."""
    place = table.schema.get_field_index(THRESHOLD)
    if place < 0 or not table.num_rows:
        return table
    values = table.column(place).to_numpy()
    if not (values == values[0]).all():
        return table
    text = bytes(_write_csv(table.slice(0, 1).select([THRESHOLD]))).decode().strip()
    return table.set_column(place, THRESHOLD, repeated_text(text, table.num_rows))


def _as_quoted_csv(table: Any) -> bytes:
    text = io.StringIO(newline="")
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    columns["churn"] = ["true" if churn else "false" for churn in columns["churn"]]
    csv.writer(text, lineterminator="\n").writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def _zip(text: Any) -> bytes:
    return gzip.compress(text, ZIP_LEVEL, mtime=0)
