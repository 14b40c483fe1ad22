"""Attacks drawn at random: what is written, how often it repeats, how it is encoded, and what is damaged afterwards."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import tables
from benchmarks.attacks.bodies.routes import (
    BATCH,
    CONTACTS,
    CSV,
    INFER,
    INVOCATIONS,
    JSON,
    OUTCOMES,
    PARQUET,
    PREDICT,
    STREAM,
    post,
)

FIELDS = ("customer_id", "state", "area_code", "international_plan", "total_day_minutes", "account_length", "k", "")
REPORTED = ("customer_id", "prediction_id", "churned", "observed_at", "contacted_at", "campaign", "offer", "opt_out", "k", "")
ROWS = (0, 1, 2, 100, 5_000)
LENGTHS = (0, 1, 12, 13, 128, 129, 3_000, 50_000)
LETTERS = ("x", "1", "0", " ", "\\", '"', ",", "\n", "é", "\U0001f600", "\x01", "[", "{")
# About as many characters one thing has, and as many it is repeated to: so a body has a few hundred kilobytes, and all of them
# take minutes.
MAX_CHARACTERS = 200_000
KINDS = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.float64(), pa.int8(), pa.decimal128(38, 2), pa.null())
PLAIN = (None, True, 1, -1.5, 1e308, "OH", "415")
CODECS = ("none", "snappy", "gzip", "zstd", "lz4", "brotli")
# Of the bytes of a body that are changed, in one attack of three.
MAX_DAMAGE = 8


class Draw(random.Random):
    """Chance, with an end to how many characters are drawn for one attack."""

    left = MAX_CHARACTERS

    def take(self, characters: int) -> int:
        """Return how many of these characters may still be drawn, and count them."""
        taken = min(characters, self.left)
        self.left -= taken
        return taken


def attacks(seed: int, numbers: Iterable[int]) -> Iterator[Attack]:
    """Yield attacks.

    Parameters
    ----------
    seed : int
    numbers : iterable of int
        Which ones: each depends on the seed and its own number alone, so that one can be repeated by itself.

    Yields
    ------
    Attack
    """
    kinds: tuple[Callable[[Draw, str], Attack], ...] = (_document, _document, _csv, _table, _table, _tensors)
    for number in numbers:
        draw = Draw(f"{seed}.{number}")
        yield _damaged(draw, draw.choice(kinds)(draw, f"generated {seed}.{number}"))


def _text(draw: Draw) -> str:
    return "".join(draw.choice(LETTERS) for _ in range(draw.randint(0, 3))) + draw.choice(LETTERS) * draw.take(
        draw.choice(LENGTHS)
    )


def _value(draw: Draw, depth: int = 0) -> Any:
    if depth < 3 and draw.random() < 0.1 and draw.left:
        parts = [_value(draw, depth + 1) for _ in range(draw.choice((0, 1, 20)))]
        return parts if draw.random() < 0.5 else {f"{_name(draw)}{n}": part for n, part in enumerate(parts)}
    match draw.randrange(9):
        case 0:
            return _text(draw)
        case 1:
            return 10 ** draw.take(draw.choice((1, 20, 400)))
    return draw.choice(PLAIN)


def _name(draw: Draw) -> str:
    return draw.choice(FIELDS) if draw.random() < 0.9 else _text(draw)


def _customer(draw: Draw) -> dict[str, Any]:
    return {_name(draw): _value(draw) for _ in range(draw.choice((0, 1, 3, 20)))}


def _document(draw: Draw, name: str) -> Attack:
    one, value = _customer(draw), _value(draw)
    columns = [_name(draw) for _ in range(draw.choice((1, 3, 20)))]
    rows = min(draw.choice(ROWS), max(1, MAX_CHARACTERS // (len(str(one)) + len(columns) * (20 + len(str(value))))))
    path, document = draw.choice(
        (
            (PREDICT, one),
            (BATCH, {"customers": [one] * rows}),
            (BATCH, {"customers": [one, _customer(draw)], _name(draw): _value(draw)}),
            (OUTCOMES, {"outcomes": [{"prediction_id": value, "churned": True, **one}] * rows}),
            (CONTACTS, {"contacts": [{"customer_id": value, "campaign": value, **one}] * rows}),
            (INVOCATIONS, {"dataframe_records": [one] * rows}),
            (INVOCATIONS, {"dataframe_split": {"columns": columns, "data": [[value] * len(columns)] * rows}}),
            (INVOCATIONS, {"inputs": {column: [value] * rows for column in columns}}),
            (INVOCATIONS, {"instances": [[value] * 19] * (rows // 20)}),
            (draw.choice((PREDICT, BATCH, OUTCOMES, CONTACTS, INVOCATIONS, INFER)), _value(draw)),
        )
    )
    return _packed(draw, name, path, json.dumps(document, ensure_ascii=draw.random() < 0.5).encode(), JSON)


def _csv(draw: Draw, name: str) -> Attack:
    path = draw.choice((BATCH, INVOCATIONS, OUTCOMES, CONTACTS))
    names = FIELDS if path in (BATCH, INVOCATIONS) else REPORTED
    columns = [draw.choice(names) if draw.random() < 0.9 else _text(draw)[:3_000] for _ in range(draw.choice((1, 2, 20, 300)))]
    row = ",".join(_text(draw) if draw.random() < 0.05 else draw.choice(("", "1", "OH", "x")) for _ in columns)
    text = (
        ",".join(columns)
        + draw.choice(("\n", "\r\n", "\r"))
        + f"{row}\n" * min(draw.choice(ROWS), MAX_CHARACTERS // (len(row) + 1))
    )
    return _packed(draw, name, path, text.encode(), CSV)


def _table(draw: Draw, name: str) -> Attack:
    rows, columns = max(1, draw.choice(ROWS)), {}
    for field in {*draw.sample(FIELDS[:6], 3), draw.choice(FIELDS)}:
        values = pa.array([_text(draw) for _ in range(draw.choice((1, 3)))])
        kind = draw.choice(KINDS)
        try:
            values = values.cast(kind)
        except pa.ArrowException:
            values = pa.nulls(1, kind)
        places = pa.array(np.arange(rows) % len(values))
        columns[field] = pa.DictionaryArray.from_arrays(places, values) if len(values) else pa.nulls(rows)
    table = pa.table(columns)
    try:
        if draw.random() < 0.5:
            return post(name, BATCH, tables.as_stream(table, compression=draw.choice((None, "lz4", "zstd"))), STREAM)
        groups = draw.choice((1_000, 100_000))
        body = tables.as_parquet(table, compression=draw.choice(CODECS), row_group_size=groups, use_dictionary=True)
    except (pa.ArrowException, OSError):
        return post(name, BATCH, tables.as_stream(table), STREAM)
    return post(name, draw.choice((BATCH, INVOCATIONS)), body, PARQUET)


def _tensors(draw: Draw, name: str) -> Attack:
    inputs, data = [], b""
    for _ in range(number := draw.choice((1, 2, 20))):
        rows, kind = draw.choice((0, 1, 100, 5_000, 2**31 - 1)), draw.choice(("FP64", "INT8", "BYTES", "BOOL", "UINT64", "X"))
        one: dict[str, Any] = {
            "name": _name(draw)[:200],
            "shape": draw.choice(([rows], [rows, 1], [rows, 18])),
            "datatype": kind,
        }
        if draw.random() < 0.5:
            part = draw.choice((b"\x00", b"\x01\x00\x00\x00x", b"\xff")) * min(rows, 5_000)
            one["parameters"], data = {"binary_data_size": len(part)}, data + part
        else:
            value = _value(draw)
            one["data"] = [value] * min(rows, 5_000, MAX_CHARACTERS // number // (len(str(value)) + 2))
        inputs.append(one)
    text = json.dumps({"inputs": inputs, "outputs": [{"name": "churn"}] * draw.choice((0, 1, 2, 100))}).encode()
    return post(name, INFER, text + data, "application/octet-stream", inference_header_content_length=str(len(text)))


def _packed(draw: Draw, name: str, path: str, body: bytes, content_type: str) -> Attack:
    if draw.random() < 0.2:
        return post(name, path, gzip.compress(body), content_type, content_encoding="gzip")
    return post(name, path, body, content_type)


def _damaged(draw: Draw, attack: Attack) -> Attack:
    body = bytearray(attack.body)
    if not body or draw.random() > 1 / 3:
        return attack
    for _ in range(draw.randint(1, MAX_DAMAGE)):
        body[draw.randrange(len(body))] = draw.randrange(256)
    if draw.random() < 0.3:
        del body[draw.randrange(len(body)) :]
    return Attack(attack.name, attack.method, attack.path, attack.headers, bytes(body))
