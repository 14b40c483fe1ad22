"""Profile a column of a file, as far as its cells tell: its kind, its levels, and whether it can be told from others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churn.contract import Column, Kind
from churn.contract_draft.cell_texts import cell_texts, is_number, is_too_large, missing_texts
from churn.contract_draft.naming import snake_case
from churn.contract_draft.number_texts import PLACEHOLDERS, NumberTexts, read_number_texts
from churn.customers.column_names import is_pandas_index
from churn.data.columns import read_leniently
from churn.data.files import TabularFile

# Pairs of levels that say which of the two is yes.
PAIRS = (
    *(("yes", "no"), ("true", "false"), ("1", "0"), ("y", "n"), ("t", "f"), ("on", "off"), ("wahr", "falsch")),
    *(
        ("ja", "nein"),
        ("j", "n"),
        ("oui", "non"),
        ("o", "n"),
        ("si", "no"),
        ("sí", "no"),
        ("s", "n"),
        ("sim", "não"),
        ("tak", "nie"),
    ),
)
# A category's levels all go into the model. Above this number, or where most rows have one of their own, it is free text.
MAX_LEVELS, MAX_FLAG_LEVELS, ROWS_A_LEVEL = 60, 10, 5
# A longer text is a remark.
MAX_LEVEL_LENGTH = 100
# Below it, a float64 holds each whole number exactly.
MAX_EXACT_INTEGER = 2**53
# Fewer rows prove nothing about numbering or being unique.
MIN_ROWS = 20
_MONTH = r"(?:jan|feb|m[aä]r|apr|ma[yi]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\.?"
_NUMERIC_DATE = rf"\d{{1,4}}([-/.])(?:\d{{1,2}}|{_MONTH})\1\d{{1,4}}"
_WRITTEN_DATE = rf"(?:\d{{1,2}}\.? )?{_MONTH},? (?:\d{{1,2}}, )?\d{{4}}"
_YEAR, _NUMBERED_MONTH = r"(?:19|20)\d\d", r"(?:0[1-9]|1[0-2])"
# 2026-03, 03/2026, 202603 and 20260331.
_MONTH_OF_YEAR = rf"{_YEAR}[-/.]{_NUMBERED_MONTH}|{_NUMBERED_MONTH}[-/.]{_YEAR}|{_YEAR}{_NUMBERED_MONTH}(?:0[1-9]|[12]\d|3[01])?"
DATE = re.compile(rf"(?:{_NUMERIC_DATE}|{_WRITTEN_DATE}|{_MONTH_OF_YEAR})(?:[ T]\d{{1,2}}:\d{{2}}.*)?", re.IGNORECASE)
# A column is one of dates if at least so many of its cells are.
MIN_DATE_SHARE = 0.9
# A word that may be a level ("Offer: None") as well as a missing value.
NOTHING = ("None", "none", "NONE")
# Where all other levels are codes like this, NA is one of them (Namibia, North America).
CODES = (re.compile(r"[A-Z]{2,3}"), re.compile(r"[a-z]{2,3}"))
NOT_AVAILABLE = ("NA", "na")


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a file.

    Attributes
    ----------
    words : tuple of str
        Of its name, in lower case.
    kind : {"number", "integer", "flag", "category"} or None
        None where no kind suits: it is empty, a date, or free text.
    levels : tuple of str
        Of a category, or of numbers that are few enough to be one; true level and false level of a flag. As the file spells them.
    missing : int
        Cells without a value.
    different : int
        Different values, as text.
    unique : bool
        Whether there are enough rows to say so, and each has a value of its own.
    numbers_rows : bool
        Whether it is 0, 1, 2, … or 1, 2, 3, …
    minimum : float
        Of a number or integer; NaN otherwise.
    missing_texts : mapping of str to int
        Texts that count as missing and are not empty, each with its number of cells.
    odd_texts : mapping of str to int
        Of a number, integer or flag: texts that are none, each with its number of cells.
    numbers : NumberTexts or None
        Of a number or integer: how its texts write numbers.
    counts : mapping of str to int
        Its texts, each with its number of cells.
    values : pandas.Series of object
        The text of each row, None where it is missing.
    """

    source: str
    words: tuple[str, ...]
    kind: Kind | None
    levels: tuple[str, ...]
    missing: int
    different: int
    unique: bool
    numbers_rows: bool = False
    is_date: bool = False
    minimum: float = float("nan")
    missing_texts: Mapping[str, int] = field(default_factory=dict)
    odd_texts: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict, repr=False)
    numbers: NumberTexts | None = None
    values: pd.Series = field(default_factory=pd.Series, repr=False)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.values)

    @property
    def number_share(self) -> float:
        """Share of the cells with a value that are numbers as they stand, and none too large."""
        cells = sum(self.counts.values())
        return sum(count for text, count in self.counts.items() if is_number(text)) / cells if cells else 0.0

    @property
    def is_zero_padded(self) -> bool:
        """Whether whole numbers are written with zeros before them, as numbers that name something are."""
        return self.kind == "integer" and any(re.fullmatch(r"0\d+", text) for text in self.counts)

    @property
    def mostly_too_large(self) -> bool:
        """Whether most of its cells are numbers that no customer may have."""
        cells = sum(self.counts.values())
        return 2 * sum(count for text, count in self.counts.items() if is_too_large(text)) > cells

    @property
    def is_constant(self) -> bool:
        """Whether every row has the same value."""
        return self.different == 1 and self.missing == 0

    @property
    def has_two_levels(self) -> bool:
        """Whether it is a flag, or has exactly two different values."""
        return self.kind == "flag" or self.different == 2


def profile_columns(file: TabularFile) -> dict[str, ColumnProfile]:
    """Profile every column of a file, by the file's own name of it; pandas' index is none of them."""
    return {source: _profile(source, cells) for source, cells in file.columns.items() if not is_pandas_index(source)}


def _profile(source: str, cells: Any) -> ColumnProfile:
    values = cell_texts(cells)
    known = values.dropna()
    counts = Counter(known)
    common: dict[str, Any] = {
        "source": source,
        "words": tuple(snake_case(source).split("_")),
        "missing": len(values) - len(known),
        "different": len(counts),
        "unique": len(counts) == len(values) >= MIN_ROWS,
        "missing_texts": missing_texts(cells),
        "counts": counts,
        "values": values,
    }
    if not counts:
        return ColumnProfile(kind=None, levels=(), **common)
    if pa.types.is_temporal(cells.type) or _are_dates(counts):
        return ColumnProfile(kind=None, levels=(), is_date=True, **common)
    placeholders = {text: count for text, count in counts.items() if text.lower() in PLACEHOLDERS}
    if pair := _flag_levels(Counter({text: count for text, count in counts.items() if text not in placeholders})):
        common["missing"] += sum(placeholders.values())
        return ColumnProfile(kind="flag", levels=pair, odd_texts=placeholders, **common)
    if (numeric := _number_profile(cells, common)) is not None:
        return numeric
    levels = _levels(cells, len(counts))
    if levels is None:
        return ColumnProfile(kind=None, levels=(), **common)
    return _category_profile(cells, levels, common)


def _number_profile(cells: Any, common: dict[str, Any]) -> ColumnProfile | None:
    """Return the profile of a column of numbers; None if it is no such column."""
    found = read_number_texts(common["counts"])
    if found is None:
        return None
    column = Column(name="n", source=common["source"], kind="number", missing=tuple(found.odd), number_format=found.form)
    numbers = read_leniently(cells, column)[0].dropna()
    if not len(numbers):
        return None
    whole = bool((numbers % 1 == 0).all()) and float(numbers.abs().max()) < MAX_EXACT_INTEGER
    return ColumnProfile(
        kind="integer" if whole else "number",
        levels=_levels(cells, common["different"]) or (),
        numbers_rows=_numbers_rows(numbers, len(cells)),
        minimum=float(numbers.min()),
        odd_texts=found.odd,
        numbers=found,
        **common | {"missing": len(cells) - len(numbers)},
    )


def _category_profile(cells: Any, levels: tuple[str, ...], common: dict[str, Any]) -> ColumnProfile:
    # "None" was counted as missing before; as a level it is not, and a column of "airbag" and "none" differs.
    values = cell_texts(cells, levels)
    counts = Counter(values.dropna())
    common |= {"missing": int(values.isna().sum()), "different": len(counts), "counts": counts, "values": values}
    common["missing_texts"] = {text: count for text, count in common["missing_texts"].items() if text not in levels}
    return ColumnProfile(kind="category", levels=levels, **common)


def _are_dates(counts: Mapping[str, int]) -> bool:
    dates = sum(count for text, count in counts.items() if DATE.fullmatch(text))
    return dates >= MIN_DATE_SHARE * sum(counts.values())


def _levels(cells: Any, different: int) -> tuple[str, ...] | None:
    """Return the sorted levels of a category; None where they are too many to be one: at least so many are different."""
    if different > MAX_LEVELS:
        return None
    known = cell_texts(cells, NOTHING).dropna()
    if any(all(map(code.fullmatch, known.unique())) for code in CODES):
        known = cell_texts(cells, (*NOTHING, *NOT_AVAILABLE)).dropna()
    levels = known.unique()
    if any(len(level) > MAX_LEVEL_LENGTH for level in levels):
        return None
    if len(levels) > MAX_LEVELS or (len(levels) > MAX_FLAG_LEVELS and len(levels) * ROWS_A_LEVEL > len(known)):
        return None
    return tuple(sorted(levels))


def _flag_levels(counts: Counter[str]) -> tuple[str, ...]:
    """Return the spellings of yes and of no, the more frequent ones; nothing where the column is no flag."""
    spelled: dict[str, str] = {}
    for text, _ in counts.most_common():
        level = {"1.0": "1", "0.0": "0"}.get(text, text)
        spelled.setdefault(level.lower(), level)
    pair = next((pair for pair in PAIRS if set(pair) == set(spelled)), ())
    return tuple(spelled[level] for level in pair)


def _numbers_rows(numbers: pd.Series, rows: int) -> bool:
    if len(numbers) != rows or rows < MIN_ROWS:
        return False
    return any(np.array_equal(numbers.to_numpy(), np.arange(first, first + rows)) for first in (0, 1))
