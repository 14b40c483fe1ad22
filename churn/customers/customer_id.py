"""Decide what a customer's id may be: once, for requests, outcomes, contacts and files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, WithJsonSchema

from churn.customers.cell_rule import MISSING_TEXTS
from churn.errors import InputError

MAX_ID_LENGTH = 128
LOOKED_AT_ONCE = 8_192
# Control characters: PostgreSQL stores no NUL, a line break breaks logs and CSV files. Half a surrogate pair is no text.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Longer than any text that means a missing value, and without what else would have to be looked at; no word holds a digit.
_USUAL = re.compile(r"(?=[^0-9]{0,127}[0-9])[A-Za-z0-9_:@/-]{5,128}")
# How a data frame or a CSV file writes a whole number that met a gap.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,15})\.0")
# What a spreadsheet leaves of an id: a long number is rounded (1.23457E+12, and so are its neighbours), a formula failed (#REF!).
_ROUNDED, _FAILED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"), re.compile(r"#[^a-z ]{2,10}[!?]")
_IS_ROUNDED = "is rounded, as spreadsheets write long numbers; format the column as text there, and export it again"
_IS_FAILED = "is what a spreadsheet writes for a formula that failed; mend it there"
# Texts that stand for nobody. (Whether `-` or `?` mean that a feature is missing, the contract says.)
NOBODY_TEXTS = MISSING_TEXTS | {"n/a", "n.a.", "#n/a", "<na>", "\\n", "-", "--", "---", "?", "??"}
# What a spreadsheet calls the line below a table. Its sums would be the first to be called.
_SUMS = ("sum", "sums", "summe", "gesamt", "gesamtsumme", "zwischensumme", "somme")
SUM_WORDS = frozenset(
    (*_SUMS, "total", "totals", "grand total", "subtotal", "sub-total", "sub total", "totale", "totaal", "totaux")
)
# With a colon and a blank.
_LONGEST_SUM = max(map(len, SUM_WORDS)) + 2
# Some of each of these words.
_IN_SUM_WORDS = ("tota", "sum", "som", "gesamt")
_IS_SUM = "is what a line of sums below a table is called, and no customer; leave that line out"
# From here on, a float has lost digits, and no integer of a data frame or of a request can be larger than 64 bits.
_INEXACT, _LOWEST, _HIGHEST = 2.0**53, -(2**63), 2**64 - 1
_WANTED = "must be a text or a whole number"
_TOO_LARGE = "is too large for a number; send it as a text"


def read_id(cell: Any) -> str | None:
    """Return a customer's id as it is stored, None where nobody is named.

    A text loses the blanks around it. A whole number is stored as its text; so is `415.0`, in which data frames write one. A text
    that means a missing value names nobody, as in any column; so do `-`, `?` and `n/a`.

    Raises
    ------
    ValueError
        With the rule that the id breaks: a boolean or a fraction names nobody; a text has at most 128 characters, none of them a
        control character, and is no id that a spreadsheet rounded (`1.23457E+12`) or could not work out (`#REF!`), and not what
        it calls a line of sums (`Total`).

    Examples
    --------
    >>> [read_id(cell) for cell in ("c-1", " c-1 ", 415, 415.0, "415.0", "007", "", None)]
    ['c-1', 'c-1', '415', '415', '415', '007', None, None]
    """
    if cell is None:
        return None
    if isinstance(cell, str):
        return _read_text(cell)
    if isinstance(cell, Decimal):
        cell = int(cell) if cell.is_finite() and cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise ValueError(_WANTED)
    if isinstance(cell, int):
        if not _LOWEST <= cell <= _HIGHEST:
            raise ValueError(_TOO_LARGE)
        return str(cell)
    if cell != cell:  # noqa: PLR0124 -- NaN, which data frames write where nobody is named
        return None
    if not cell.is_integer():
        raise ValueError(_WANTED)
    if abs(cell) >= _INEXACT:
        raise ValueError(_TOO_LARGE)
    return str(int(cell))


def require_id(text: str, where: str = "") -> str:
    """Return the id that a person typed, or put on a line of a file, as the service stores it.

    Parameters
    ----------
    text : str
    where : str
        What an error begins with.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it names nobody, or breaks the rule of an id.

    Examples
    --------
    >>> require_id(" c-1 "), require_id("415.0")
    ('c-1', '415')
    """
    try:
        found = read_id(text)
    except ValueError as error:
        raise InputError(f"{where}customer id {text[:40]!r} {error}") from None
    if found is None:
        raise InputError(f"{where}which customer? {text!r} stands for nobody")
    return found


def _read_text(text: str) -> str | None:
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(f"must have at most {MAX_ID_LENGTH} characters")
    text = text.strip()
    if text.lower() in NOBODY_TEXTS:
        return None
    if _ROUNDED.fullmatch(text):
        raise ValueError(_IS_ROUNDED)
    if _FAILED.fullmatch(text):
        raise ValueError(_IS_FAILED)
    if names_sums(text):
        raise ValueError(_IS_SUM)
    if _FORBIDDEN.search(text):
        raise ValueError("must not contain control characters")
    return str(int(text[:-2])) if text.endswith(".0") and _WHOLE.fullmatch(text) else text


def is_plain_id(text: str) -> bool:
    """Tell quickly whether a text is certainly an id, stored as it is."""
    return _USUAL.fullmatch(text) is not None or (
        0 < len(text) <= MAX_ID_LENGTH
        and text.isprintable()
        and text[0] != " "
        and text[-1] != " "
        and text[-2:] != ".0"
        and not may_be_damaged(text)
        and text.lower() not in NOBODY_TEXTS
        and not names_sums(text)
    )


def names_sums(text: str) -> bool:
    """Tell whether a text is what a line of sums below a table is called.

    Examples
    --------
    >>> names_sums("Grand Total:"), names_sums("Total-1")
    (True, False)
    """
    return len(text) <= _LONGEST_SUM and text.rstrip(": ").lower() in SUM_WORDS


def may_be_damaged(text: str) -> bool:
    """Tell by a glance whether a spreadsheet may have made something else of an id: `read_id` decides.

    Parameters
    ----------
    text : str
        An id.

    Returns
    -------
    bool
    """
    return text[0] == "#" or "E+" in text or "e+" in text


def read_ids(cells: Sequence[Any]) -> tuple[Sequence[str | None], NDArray[np.bool_] | None]:
    """Read a column of ids.

    Parameters
    ----------
    cells : sequence, length n

    Returns
    -------
    ids : sequence of (str or None), length n
    doubtful : array of bool, shape (n,), or None
        Where `read_id` refuses the id; None: nowhere.
    """
    # In parts: to look at a hundred thousand ids of 128 characters at once took 26 MB.
    if all(_all_plain(cells[start : start + LOOKED_AT_ONCE]) for start in range(0, len(cells), LOOKED_AT_ONCE)):
        return cells, None
    ids: list[str | None] = []
    wrong: list[int] = []
    for row, cell in enumerate(cells):
        try:
            ids.append(read_id(cell))
        except ValueError:
            ids.append(None)
            wrong.append(row)
    if not wrong:
        return ids, None
    doubtful = np.zeros(len(ids), np.bool_)
    doubtful[wrong] = True
    return ids, doubtful


def _all_plain(cells: Sequence[Any]) -> bool:
    """Tell, by a few passes over all of them, whether all ids are texts that are stored as they are."""
    if not set(map(type, cells)) <= {str, type(None)}:
        return False
    named = [cell for cell in cells if cell is not None]
    lengths = set(map(len, named))
    if not lengths:
        return True
    if min(lengths) == 0 or max(lengths) > MAX_ID_LENGTH:
        return False
    joined = f"|{'|'.join(named)}|"
    if not joined.isprintable() or " |" in joined or "| " in joined or ".0|" in joined:
        return False
    if "|#" in joined or "E+" in joined or "e+" in joined or _some_sums(joined, lengths, named):
        return False
    longest = max(map(len, NOBODY_TEXTS))
    return min(lengths) > longest or NOBODY_TEXTS.isdisjoint(text.lower() for text in named if len(text) <= longest)


def _some_sums(joined: str, lengths: set[int], named: Sequence[str]) -> bool:
    if min(lengths) > _LONGEST_SUM:
        return False
    lowered = joined.lower()
    return any(part in lowered for part in _IN_SUM_WORDS) and any(map(names_sums, named))


# The blanks around it are taken away first, line breaks among them.
_PATTERN = "^\\s*[^\\u0000-\\u001f\\u007f]*\\s*$"


def id_schema(pattern: str = _PATTERN, *, nullable: bool = True) -> dict[str, Any]:
    """Describe an id in JSON Schema.

    Parameters
    ----------
    pattern : str
        Of an id that is a text.
    nullable : bool
        Whether nobody may be named.

    Returns
    -------
    dict
    """
    text = {"type": "string", "maxLength": MAX_ID_LENGTH, "pattern": pattern}
    whole = {"type": "integer", "minimum": _LOWEST, "maximum": _HIGHEST}
    description = "A text, or a whole number, which is stored as its text."
    return {"anyOf": [text, whole, *([{"type": "null"}] if nullable else [])], "description": description}


CustomerId = Annotated[str | None, BeforeValidator(read_id), WithJsonSchema(id_schema())]
