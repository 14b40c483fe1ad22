"""Arrow IPC and Parquet written in ways that no writer of tables would: many small parts, replaced dictionaries, lies, bombs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from struct import Struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies.routes import PARQUET, STREAM, on_all_routes
from benchmarks.attacks.bodies.tables import ID, LONG, MINUTES, STATE, as_parquet, as_stream, repeated

MEBIBYTE = 2**20
Body = bytes | Callable[[], bytes]


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    for name, body in (*_arrow(), *_lying_lengths()):
        yield from on_all_routes(f"{name}, arrow", STREAM, body)
    for name, body in _parquet():
        yield from on_all_routes(f"{name}, parquet", PARQUET, body)


def _arrow() -> Iterator[tuple[str, Body]]:
    number = pa.table({MINUTES: pa.array(np.zeros(32 * MEBIBYTE // 8))})
    texts = pa.table({MINUTES: pa.array([1.0]), ID: pa.array(["x" * 32 * MEBIBYTE])})
    long = pa.table({MINUTES: np.zeros(2), ID: repeated("x" * 32 * MEBIBYTE, 2)})
    for codec in ("lz4", "zstd"):
        yield f"32 MB of zeros as {codec}", partial(as_stream, number, compression=codec)
        yield f"a text of 32 MB as {codec}", partial(as_stream, texts, compression=codec)
        yield (
            f"a dictionary of 32 MB as {codec}",
            partial(as_stream, long, compression=codec),
        )
    yield "10,000 batches of one row", partial(_batches, pa.table({MINUTES: [1.0]}), 10_000)
    yield "10,000 batches without rows", partial(_batches, pa.table({MINUTES: pa.array([], pa.float64())}), 10_000)
    yield "batches without columns", _batches(pa.table({}), 1_000)
    yield "a dictionary that is replaced 300 times", partial(_replaced, 300, 10_000)
    yield "a dictionary that grows 300 times", partial(_replaced, 300, 10_000, deltas=True)
    yield "a schema of 100,000 columns", _wide_schema
    yield (
        "metadata of 4 MB",
        as_stream(_with_metadata()),
    )
    deep: Any = pa.int8()
    for _ in range(60):
        deep = pa.list_(deep)
    yield "a type nested 60 deep", as_stream(pa.table({MINUTES: [1.0], ID: pa.nulls(1, deep)}))


def _with_metadata() -> Any:
    return pa.table({MINUTES: [1.0]}).replace_schema_metadata({"k" * 2 * MEBIBYTE: "v" * 2 * MEBIBYTE})


def _wide_schema() -> bytes:
    return bytes(pa.schema([(f"c{n}", pa.null()) for n in range(100_000)]).serialize())


def _batches(table: Any, count: int) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for _ in range(count):
            writer.write_batch(
                pa.record_batch(table.columns and [c.combine_chunks() for c in table.columns], schema=table.schema)
            )
    return bytes(sink.getvalue())


def _replaced(count: int, length: int, *, deltas: bool = False) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
    kind = pa.dictionary(pa.int32(), pa.string())
    with pa.ipc.new_stream(sink, pa.schema([(MINUTES, pa.float64()), (STATE, kind)]), options=options) as writer:
        known: list[str] = []
        for number in range(count):
            known = [*(known if deltas else ()), f"{number}".ljust(length)]
            indices = pa.array([len(known) - 1], pa.int32())
            writer.write_batch(
                pa.record_batch([pa.array([1.0]), pa.DictionaryArray.from_arrays(indices, pa.array(known))], [MINUTES, STATE])
            )
    return bytes(sink.getvalue())


def _lying_lengths() -> Iterator[tuple[str, Body]]:
    """Yield streams in which the number of rows is another one than the writer wrote."""
    number = Struct("<q")
    for name, table in (
        ("nulls", pa.table({MINUTES: pa.nulls(4_242)})),
        ("no columns", pa.table({MINUTES: pa.nulls(4_242)}).select([])),
        ("a run", pa.table({MINUTES: pa.RunEndEncodedArray.from_arrays(pa.array([4_242], pa.int32()), pa.array([1.0]))})),
        ("numbers", pa.table({MINUTES: np.zeros(4_242)})),
        ("texts", pa.table({STATE: pa.array([None] * 4_242, pa.string())})),
        ("empty lists", pa.table({MINUTES: pa.nulls(4_242, pa.list_(pa.int8(), 0))})),
        ("bytes of no length", pa.table({ID: pa.array([b""] * 4_242, pa.binary(0))})),
    ):
        body = as_stream(table)
        for rows in (2**31 - 1, 2**40, -1, 99_999):
            yield f"{rows} rows of {name}", body.replace(number.pack(4_242), number.pack(rows))


def _parquet() -> Iterator[tuple[str, Body]]:
    rows = 20_000
    numbers, texts = pa.array(np.arange(rows, dtype=np.float64)), pa.array([f"{n:08}" for n in range(rows)])
    same_texts = pa.table({MINUTES: np.zeros(90_000), ID: pa.array(["x" * 300] * 90_000)})
    for codec in ("snappy", "gzip", "brotli", "zstd", "lz4"):
        yield (
            f"32 MB of zeros as {codec}",
            partial(as_parquet, same_texts, compression=codec, use_dictionary=False),
        )
    long = pa.table({MINUTES: numbers, ID: pa.array([LONG] * 64 + [None] * (rows - 64))})
    for encoding in ("PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"):
        options: dict[str, Any] = {"use_dictionary": False, "column_encoding": {ID: encoding, MINUTES: "BYTE_STREAM_SPLIT"}}
        yield f"long ids as {encoding}", partial(as_parquet, long, compression="zstd", **options)
    same = pa.table(
        {MINUTES: numbers, ID: pa.array([LONG] * 1_000)[:1].take(pa.array(np.zeros(1_000, np.int8)))} | {MINUTES: numbers[:1_000]}
    )
    yield (
        "prefixes of one long text as DELTA_BYTE_ARRAY",
        partial(
            as_parquet, same, compression="none", use_dictionary=False, column_encoding={ID: "DELTA_BYTE_ARRAY", MINUTES: "PLAIN"}
        ),
    )
    whole = pa.table({MINUTES: pa.array(np.arange(rows)), "account_length": pa.array(np.zeros(rows, np.int32))})
    yield (
        "numbers as DELTA_BINARY_PACKED",
        as_parquet(
            whole, use_dictionary=False, column_encoding=dict.fromkeys((MINUTES, "account_length"), "DELTA_BINARY_PACKED")
        ),
    )
    yield "2,000 row groups", partial(as_parquet, pa.table({MINUTES: numbers[:2_000]}), row_group_size=1)
    pages = {"data_page_size": 1, "write_batch_size": 1}
    yield "pages of one row", partial(as_parquet, pa.table({MINUTES: numbers, ID: texts}), **pages)
    yield (
        "metadata of 4 MB",
        as_parquet(_with_metadata()),
    )
    short = as_parquet(pa.table({MINUTES: np.zeros(3), ID: repeated(LONG, 3)}))
    yield "cut off", short[:-40]
    yield "a footer longer than the file", short[:-8] + b"\xff\xff\xff\x7fPAR1"
    yield "a footer of zeros", b"PAR1" + bytes(100_000) + (100_000).to_bytes(4, "little") + b"PAR1"
    yield "a list that never ends", b"PAR1" + b"\x19\xfc\xff\xff\xff\xff\x07" * 10 + (70).to_bytes(4, "little") + b"PAR1"
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, pa.schema([(MINUTES, pa.float64())])) as writer:
        writer.add_key_value_metadata({"k": "v" * MEBIBYTE})
    yield "no rows", bytes(sink.getvalue())
