"""Bodies that were compressed: bombs, bombs in bombs, cut off, and with encodings that nobody reads."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial

import pyarrow as pa

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import reported, tables, tensors
from benchmarks.attacks.bodies.routes import BATCH, CONTACTS, CSV, INFER, INVOCATIONS, JSON, OUTCOMES, PARQUET, PREDICT, post

MEBIBYTE = 2**20


def attacks() -> Iterator[Attack]:
    """Yield the attacks."""
    zeros = gzip.compress(bytes(64 * MEBIBYTE), 9)
    for path in (PREDICT, BATCH, INVOCATIONS, INFER, OUTCOMES, CONTACTS):
        yield post(f"64 MB of zeros as gzip, {path}", path, zeros, content_encoding="gzip")
        yield post(f"gzip in gzip, {path}", path, partial(gzip.compress, zeros), content_encoding="gzip")
    fifteen = 15 * MEBIBYTE
    texts = {
        "blanks": (JSON, b" " * fifteen + b"{}"),
        "lists": (JSON, b'{"customers":[' + b"[]," * (fifteen // 3) + b"[]]}"),
        "objects": (JSON, b'{"customers":[' + b"{}," * 99_998 + b"{}]}"),
        "customers": (JSON, b'{"customers":[' + b'{"total_day_minutes":1.5,"state":"OH"},' * 99_998 + b'{"state":"OH"}]}'),
        "names": (JSON, b'{"customers":[{' + b",".join(b'"k%d":1' % n for n in range(1_000_000)) + b"}]}"),
        "a deep list": (JSON, b"[" * fifteen),
        "commas": (CSV, b"," * fifteen),
        "short rows": (CSV, b"total_day_minutes,state\n" + b"1,OH\n" * 99_999),
        "lines": (CSV, b"total_day_minutes\n" + b"\n" * fifteen),
        "quotes": (CSV, b"total_day_minutes\n" + b'"' * fifteen),
    }
    for name, (content_type, text) in texts.items():
        packed = cache(partial(gzip.compress, text, 9))
        yield post(f"gzip of {name}", BATCH, packed, content_type, content_encoding="gzip")
        yield post(f"gzip of {name}, {INVOCATIONS}", INVOCATIONS, packed, content_type, content_encoding="gzip")
        yield post(f"deflate of {name}", BATCH, partial(zlib.compress, text, 9), content_type, content_encoding="deflate")
        yield post(f"gzip of {name}, cut off", BATCH, partial(_half, packed), content_type, content_encoding="gzip")
    table = tables.as_parquet(pa.table({"total_day_minutes": tables.repeated(1.0, 99_000)}))
    yield post("gzip of Parquet", BATCH, gzip.compress(table), PARQUET, content_encoding="gzip")
    for encoding in ("br", "zstd", "gzip, gzip", "compress", "identity, gzip", "GZIP", "x-gzip"):
        yield post(f"the encoding {encoding}", BATCH, zeros, content_encoding=encoding)
    for attack in (*reported.attacks(), *tensors.attacks()):
        if len(attack.body) > MEBIBYTE // 2:  # what a kilobyte can be made of
            headers = {**attack.headers, "content-encoding": "gzip"}
            yield replace(attack, name=f"gzip of {attack.name}", headers=headers, made=partial(gzip.compress, attack.body, 1))


def _half(packed: Callable[[], bytes]) -> bytes:
    return packed()[: len(packed()) // 2]
