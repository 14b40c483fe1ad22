"""Texts of a CSV file into what JSON would have held: CSV has no types, and only then the rules of the contract apply."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from churn.contract import Column

# As in files for training (`churn.data.parsing`).
MISSING = frozenset({"", "na", "nan", "null", "none"})
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER_CHARACTERS = b"0123456789+-.eE"
_FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def read_texts(column: Column, texts: Sequence[str]) -> Sequence[Any]:
    """Read the fields of one column; what cannot be read stays the text that it is, and is refused later."""
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


def safe_text(text: str) -> str:
    """Give a text that no spreadsheet takes for a formula: one that might be begins with an apostrophe (OWASP, CSV Injection).

    Examples
    --------
    >>> [safe_text(text) for text in ("c-1", "=1+1", "-42.5", "-1+cmd|' /C calc'!A0")]
    ['c-1', "'=1+1", '-42.5', "'-1+cmd|' /C calc'!A0"]
    """
    return f"'{text}" if text.startswith(_FORMULA) and not NUMBER.fullmatch(text) else text


def _by_text(texts: Sequence[str], meaning: Callable[[str], Any]) -> list[Any]:
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
