"""Customers as CSV: the header names the contract's columns, in any order; a field that is empty, or says NA or null, is missing.

CSV has no types, so texts become what JSON would have held, and only then the rules of the contract apply.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

import orjson

from churn.contract import Column
from churn.customers import CustomerColumns
from service.columns import CUSTOMER_ID, ColumnRules
from service.formats.json_text import refuse
from service.formats.records import check_rows

# As in files for training (`churn.cells`).
MISSING = frozenset({"", "na", "nan", "null", "none"})
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NUMBER_CHARACTERS = b"0123456789+-.eE"
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def read_csv(body: bytes | memoryview, rules: ColumnRules, most: int) -> CustomerColumns:
    """Read a CSV body (RFC 4180: commas, double quotes, UTF-8 with or without a byte order mark; the first line is the header).

    Raises
    ------
    TooLarge, Unprocessable
    """
    try:
        text = bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse("body", "must be UTF-8")
    if "\0" in text:
        refuse("body", "must not contain NUL characters")
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        rules.check_names(header, "header")
        rows = _rows(lines, most)
    except csv.Error as error:
        refuse(f"line {lines.line_num}", f"must be CSV: {error}")
    check_rows(len(rows), most)
    if set(map(len, rows)) != {len(header)}:
        wrong = next(place for place, row in enumerate(rows) if len(row) != len(header))
        refuse(f"rows.{wrong}", f"{len(header)} fields are expected, as the header has")
    columns: dict[str, Sequence[Any]] = {}
    for name, texts in zip(header, zip(*rows, strict=True), strict=True):
        columns[name] = [text or None for text in texts] if name == CUSTOMER_ID else _values(rules.features[name].column, texts)
    return rules.objects(columns, len(rows), "rows")


def _rows(lines: Iterator[list[str]], most: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for row in lines:
        # An empty line, as many files end with one, is no row.
        if row:
            rows.append(row)
            if len(rows) > most:
                break
    return rows


def _values(column: Column, texts: Sequence[str]) -> Sequence[Any]:
    match column.kind:
        case "category":
            return _by_text(texts, lambda text: _level(text, column))
        case "flag":
            return _by_text(texts, lambda text: _flag(text, column))
    # Most columns are plain numbers and gaps: read at once, as one list, they take a fifth of the time.
    if not "".join(texts).encode().translate(None, _NUMBER_CHARACTERS):
        try:
            numbers: list[Any] = orjson.loads(f"[{','.join(text or 'null' for text in texts)}]")
            return numbers
        except orjson.JSONDecodeError:
            pass  # numbers that JSON spells differently: +1, 1., 007
    return [_number(text) for text in texts]


def _by_text(texts: Sequence[str], meaning: Any) -> list[Any]:
    known = {text: meaning(text.strip()) for text in set(texts)}
    return [known[text] for text in texts]


def _number(text: str) -> Any:
    text = text.strip()
    if NUMBER.fullmatch(text):
        return float(text)
    return None if text.lower() in MISSING else text


def _flag(text: str, column: Column) -> Any:
    # The contract's own levels win: a column `stayed` may say False for those who left.
    if text.casefold() == column.true_level.casefold():
        return True
    if text.casefold() == column.false_level.casefold():
        return False
    spelled = text.lower()
    return None if spelled in MISSING else _FLAGS.get(spelled, text)


def _level(text: str, column: Column) -> Any:
    if text in column.levels:
        return text
    if text.lower() in MISSING:
        return None
    # 415.0: whole numbers that met a gap on their way through a frame.
    whole = text.removesuffix(".0")
    return whole if whole in column.levels else text
