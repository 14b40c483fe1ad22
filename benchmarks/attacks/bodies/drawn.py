"""Attacks drawn at random: what is written, how often it repeats, how it is encoded, and what is damaged afterwards."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.attacks.attack import Attack
from benchmarks.attacks.bodies import tables
from benchmarks.attacks.bodies.routes import BATCH, CSV, INFER, INVOCATIONS, JSON, OUTCOMES, PARQUET, PREDICT, STREAM, post

FIELDS = ("customer_id", "state", "area_code", "international_plan", "total_day_minutes", "account_length", "k", "")
ROWS = (0, 1, 2, 100, 5_000)
LENGTHS = (0, 1, 12, 13, 128, 129, 3_000, 50_000)
LETTERS = ("x", "1", "0", " ", "\\", '"', ",", "\n", "é", "\U0001f600", "\x01", "[", "{")
# About as much of one thing is repeated.
MAX_CHARACTERS = 200_000
KINDS = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.float64(), pa.int8(), pa.decimal128(38, 2), pa.null())
CODECS = ("none", "snappy", "gzip", "zstd", "lz4", "brotli")
# Of the bytes of a body that are changed, in one attack of three.
MAX_DAMAGE = 8


def attacks(seed: int, count: int) -> Iterator[Attack]:
    """Yield attacks.

    Parameters
    ----------
    seed : int
        Equal seeds draw equal attacks.
    count : int

    Yields
    ------
    Attack
    """
    chance = random.Random(seed)  # noqa: S311 -- attacks are drawn, no secrets
    kinds: tuple[Callable[[random.Random, str], Attack], ...] = (_document, _document, _csv, _table, _table, _tensors)
    for number in range(count):
        yield _damaged(chance, chance.choice(kinds)(chance, f"generated {seed}.{number}"))


def _text(chance: random.Random) -> str:
    return "".join(chance.choice(LETTERS) for _ in range(chance.randint(0, 3))) + chance.choice(LETTERS) * chance.choice(LENGTHS)


def _value(chance: random.Random, depth: int = 0) -> Any:
    plain = (None, True, 1, -1.5, 1e308, 10 ** chance.choice((1, 20, 400)), "OH", "415", _text(chance))
    if depth < 3 and chance.random() < 0.1:
        parts = [_value(chance, depth + 1) for _ in range(chance.choice((0, 1, 20)))]
        return parts if chance.random() < 0.5 else {f"{_name(chance)}{n}": part for n, part in enumerate(parts)}
    return chance.choice(plain)


def _name(chance: random.Random) -> str:
    return chance.choice(FIELDS) if chance.random() < 0.9 else _text(chance)


def _customer(chance: random.Random) -> dict[str, Any]:
    return {_name(chance): _value(chance) for _ in range(chance.choice((0, 1, 3, 20)))}


def _document(chance: random.Random, name: str) -> Attack:
    one, value = _customer(chance), _value(chance)
    columns = [_name(chance) for _ in range(chance.choice((1, 3, 20)))]
    rows = min(chance.choice(ROWS), MAX_CHARACTERS // (len(str(one)) + len(columns) * (20 + len(str(value)))))
    path, document = chance.choice(
        (
            (PREDICT, one),
            (BATCH, {"customers": [one] * rows}),
            (BATCH, {"customers": [one, _customer(chance)], _name(chance): _value(chance)}),
            (OUTCOMES, {"outcomes": [{"prediction_id": value, "churned": True, **one}] * rows}),
            (INVOCATIONS, {"dataframe_records": [one] * rows}),
            (INVOCATIONS, {"dataframe_split": {"columns": columns, "data": [[value] * len(columns)] * rows}}),
            (INVOCATIONS, {"inputs": {column: [value] * rows for column in columns}}),
            (INVOCATIONS, {"instances": [[value] * 19] * (rows // 20)}),
            (chance.choice((PREDICT, BATCH, OUTCOMES, INVOCATIONS, INFER)), _value(chance)),
        )
    )
    return _packed(chance, name, path, json.dumps(document, ensure_ascii=chance.random() < 0.5).encode(), JSON)


def _csv(chance: random.Random, name: str) -> Attack:
    columns = [_name(chance)[:3_000] for _ in range(chance.choice((1, 2, 20, 300)))]
    row = ",".join(_text(chance) if chance.random() < 0.05 else chance.choice(("", "1", "OH", "x")) for _ in columns)
    text = (
        ",".join(columns)
        + chance.choice(("\n", "\r\n", "\r"))
        + f"{row}\n" * min(chance.choice(ROWS), MAX_CHARACTERS // (len(row) + 1))
    )
    return _packed(chance, name, chance.choice((BATCH, INVOCATIONS)), text.encode(), CSV)


def _table(chance: random.Random, name: str) -> Attack:
    rows, columns = max(1, chance.choice(ROWS)), {}
    for field in {*chance.sample(FIELDS[:6], 3), chance.choice(FIELDS)}:
        values = pa.array([_text(chance) for _ in range(chance.choice((1, 3)))])
        kind = chance.choice(KINDS)
        try:
            values = values.cast(kind)
        except pa.ArrowException:
            values = pa.nulls(1, kind)
        places = pa.array(np.arange(rows) % len(values))
        columns[field] = pa.DictionaryArray.from_arrays(places, values) if len(values) else pa.nulls(rows)
    table = pa.table(columns)
    try:
        if chance.random() < 0.5:
            return post(name, BATCH, tables.as_stream(table, compression=chance.choice((None, "lz4", "zstd"))), STREAM)
        groups = chance.choice((1_000, 100_000))
        body = tables.as_parquet(table, compression=chance.choice(CODECS), row_group_size=groups, use_dictionary=True)
    except (pa.ArrowException, OSError):
        return post(name, BATCH, tables.as_stream(table), STREAM)
    return post(name, chance.choice((BATCH, INVOCATIONS)), body, PARQUET)


def _tensors(chance: random.Random, name: str) -> Attack:
    inputs, data = [], b""
    for _ in range(chance.choice((1, 2, 20))):
        rows, kind = chance.choice((0, 1, 100, 5_000, 2**31 - 1)), chance.choice(("FP64", "INT8", "BYTES", "BOOL", "UINT64", "X"))
        one: dict[str, Any] = {
            "name": _name(chance)[:200],
            "shape": chance.choice(([rows], [rows, 1], [rows, 18])),
            "datatype": kind,
        }
        if chance.random() < 0.5:
            part = chance.choice((b"\x00", b"\x01\x00\x00\x00x", b"\xff")) * min(rows, 5_000)
            one["parameters"], data = {"binary_data_size": len(part)}, data + part
        else:
            value = _value(chance)
            one["data"] = [value] * min(rows, 5_000, MAX_CHARACTERS // (len(str(value)) + 2))
        inputs.append(one)
    text = json.dumps({"inputs": inputs, "outputs": [{"name": "churn"}] * chance.choice((0, 1, 2, 100))}).encode()
    return post(name, INFER, text + data, "application/octet-stream", inference_header_content_length=str(len(text)))


def _packed(chance: random.Random, name: str, path: str, body: bytes, content_type: str) -> Attack:
    if chance.random() < 0.2:
        return post(name, path, gzip.compress(body), content_type, content_encoding="gzip")
    return post(name, path, body, content_type)


def _damaged(chance: random.Random, attack: Attack) -> Attack:
    body = bytearray(attack.body)
    if not body or chance.random() > 1 / 3:
        return attack
    for _ in range(chance.randint(1, MAX_DAMAGE)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    if chance.random() < 0.3:
        del body[chance.randrange(len(body)) :]
    return Attack(attack.name, attack.method, attack.path, attack.headers, bytes(body))
