"""Tables whose columns cost much for few bytes, by every encoding that Arrow has, in each format that can hold them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.routes import FILE, PARQUET, STREAM, on_all_routes

ROWS = 20_000
LONG = "x" * 100_000
ID, STATE, MINUTES, PLAN = "customer_id", "state", "total_day_minutes", "international_plan"


def repeated(value: Any, rows: int = ROWS, index: Any = None) -> Any:
    """Return a dictionary of one value to which every row points."""
    indices = pa.array(np.zeros(rows, np.int8), index or pa.int8())
    return pa.DictionaryArray.from_arrays(indices, value if isinstance(value, pa.Array) else pa.array([value]))


def views(text: str, rows: int = ROWS) -> Any:
    """Return views that all point to the same bytes."""
    data = text.encode()
    view = len(data).to_bytes(4, "little") + data[:4] + bytes(8)
    return pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(view * rows), pa.py_buffer(data)])


def run_ends(value: Any, rows: int = ROWS) -> Any:
    """Return one run of a value."""
    return pa.RunEndEncodedArray.from_arrays(pa.array([rows], pa.int32()), pa.array([value]))


def overlapping(rows: int = ROWS, length: int = 100_000) -> Any:
    """Return texts whose offsets go back and forth over the same bytes: no valid array has such."""
    offsets = np.tile(np.array([0, length], np.int32), rows // 2 + 1)[: rows + 1]
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(b"x" * length)])


def columns() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each table's name and columns."""
    number = pa.array(np.ones(ROWS))
    for name, long in (("text", LONG), ("text beyond ASCII", "é" * 50_000), ("controls", "\x01" * 100_000)):
        yield f"an id of long {name} in a dictionary", {MINUTES: number, ID: repeated(long)}
        yield f"a state of long {name} in a dictionary", {MINUTES: number, STATE: repeated(long)}
        yield f"minutes of long {name} in a dictionary", {STATE: pa.array(["OH"] * ROWS), MINUTES: repeated(long)}
    yield "a flag of long text in a dictionary", {MINUTES: number, PLAN: repeated(LONG)}
    digits = "1" + "0" * 100_000
    yield "an id of many digits in a dictionary", {MINUTES: number, ID: repeated(digits)}
    yield "minutes of many digits in a dictionary", {MINUTES: repeated(digits)}
    yield "a long large text in a dictionary", {MINUTES: number, ID: repeated(pa.array([LONG], pa.large_string()))}
    yield "a long view in a dictionary", {MINUTES: number, ID: repeated(pa.array([LONG], pa.string_view()))}
    yield "wide indices", {MINUTES: number, ID: repeated(LONG, index=pa.uint64())}
    yield "ids as views of one text", {MINUTES: number, ID: views(LONG)}
    yield "states as views of one text", {MINUTES: number, STATE: views(LONG)}
    yield "minutes as views of one text", {MINUTES: views("1" + "0" * 100_000)}
    yield "an id in one run", {MINUTES: number, ID: run_ends(LONG)}
    yield "minutes in one run", {MINUTES: run_ends(1.0, 2**31 - 1)}
    yield "overlapping texts", {MINUTES: number, ID: overlapping()}
    yield "nested dictionaries", {MINUTES: number, ID: repeated(repeated(LONG, 1))}
    yield "a dictionary of decimals", {MINUTES: repeated(pa.array([1], pa.decimal256(76, 0)))}
    yield "a dictionary of numbers", {MINUTES: repeated(1.0)}
    yield "a dictionary of booleans", {PLAN: repeated(pa.array([True]))}
    yield "a dictionary of dates", {MINUTES: repeated(pa.array([1], pa.date32()))}
    yield "decimals", {MINUTES: pa.array(range(ROWS), pa.decimal128(38, 0))}
    yield "ids in wide decimals", {MINUTES: number, ID: pa.array([None] * ROWS, pa.decimal256(76, 10))}
    yield "ids that are numbers with fractions", {MINUTES: number, ID: pa.array(np.full(ROWS, 0.5))}
    yield "binary ids", {MINUTES: number, ID: repeated(pa.array([LONG.encode()], pa.binary()))}
    yield "bytes of no length", {MINUTES: number, ID: pa.array([b""] * ROWS, pa.binary(0))}
    yield (
        "structs without fields",
        {MINUTES: number, ID: pa.StructArray.from_arrays([], fields=[], mask=pa.array([False] * ROWS))},
    )
    yield "lists of lists", {MINUTES: number, ID: pa.array([[[[1]]]] * ROWS)}
    yield "null columns", {MINUTES: number, STATE: pa.nulls(ROWS), ID: pa.nulls(ROWS)}
    yield "nothing but nulls", {MINUTES: pa.nulls(90_000)}
    yield (
        "100,000 equal rows",
        {MINUTES: repeated(1.0, 100_000), STATE: repeated("OH", 100_000), ID: repeated("c" * 128, 100_000)},
    )
    yield "100,000 wrong rows", {MINUTES: repeated(-1.0, 100_000), STATE: repeated("XX", 100_000), ID: repeated("\x00", 100_000)}
    yield "100,000 empty rows", {MINUTES: pa.nulls(100_000, pa.float64())}
    yield "10,000 unknown columns", {f"unknown {n}": pa.array([1.0]) for n in range(10_000)}
    yield "10,000 columns like known ones", {f"total_day_minute{n}": pa.array([1.0]) for n in range(10_000)}
    yield "a column with a long name", {"n" * 1_000_000: pa.array([1.0]), MINUTES: pa.array([1.0])}


def attacks() -> Iterator[Attack]:
    """Yield every table in every format that can hold it, on every route that reads it."""
    for name, given in columns():
        table = pa.table(given)
        for content_type, write in ((STREAM, as_stream), (FILE, as_file), (PARQUET, as_parquet)):
            try:
                write(table.slice(0, 3))  # as little as shows what it cannot hold
            except (pa.ArrowException, OSError):
                continue  # this format has no such type, or no such texts
            yield from on_all_routes(f"{name}, {content_type.rpartition('.')[2]}", content_type, partial(write, table))


def as_stream(table: Any, **options: Any) -> bytes:
    """Write an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def as_file(table: Any) -> bytes:
    """Write an Arrow IPC file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def as_parquet(table: Any, **options: Any) -> bytes:
    """Write a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return bytes(sink.getvalue())
