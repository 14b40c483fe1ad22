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
from churn.contract_draft.cell_texts import cell_texts, is_number, missing_texts
from churn.contract_draft.naming import snake_case
from churn.customers.column_names import is_pandas_index
from churn.data.columns import read_leniently
from churn.data.files import TabularFile

# Pairs of levels that say which of the two is yes.
PAIRS = (("yes", "no"), ("true", "false"), ("1", "0"), ("y", "n"), ("t", "f"))
# A category's levels all go into the model. Above this number, or where most rows have one of their own, it is free text.
MAX_LEVELS, MAX_FLAG_LEVELS, ROWS_A_LEVEL = 60, 10, 5
# Fewer rows prove nothing about numbering or being unique.
MIN_ROWS = 20
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
# A word that may be a level ("Offer: None") as well as a missing value.
NOTHING = ("None", "none", "NONE")
# Where all other levels are codes like this, NA is one of them (Namibia, North America).
CODE = re.compile(r"[A-Z]{2,3}")
NOT_AVAILABLE = "NA"
# Numbers among which some cells hold something else: at most so many different texts, and such a share of the cells.
MAX_ODD_TEXTS, MAX_ODD_SHARE, MIN_DIFFERENT_NUMBERS = 20, 0.1, 20


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
        Of a number or integer: texts that are no numbers, each with its number of cells.
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
    }
    if not counts:
        return ColumnProfile(kind=None, levels=(), **common)
    if pa.types.is_temporal(cells.type) or all(map(DATE.fullmatch, counts)):
        return ColumnProfile(kind=None, levels=(), is_date=True, **common)
    if pair := _flag_levels(counts):
        return ColumnProfile(kind="flag", levels=pair, **common)
    read, unreadable = read_leniently(cells, Column(name="n", source=source, kind="number", nullable=True))
    numbers = read.dropna()
    odd = {text: count for text, count in counts.items() if not is_number(text)} if unreadable else {}
    if len(numbers) and (not unreadable or _is_mostly_numbers(numbers, unreadable, odd)):
        common["missing"] += unreadable
        common["odd_texts"] = odd
        whole = bool((numbers % 1 == 0).all()) and float(numbers.abs().max()) < 2**53
        return ColumnProfile(
            kind="integer" if whole else "number",
            levels=_levels(cells) or (),
            numbers_rows=_numbers_rows(numbers, len(values)),
            minimum=float(numbers.min()),
            **common,
        )
    levels = _levels(cells)
    if levels is None:
        return ColumnProfile(kind=None, levels=(), **common)
    # "None" was counted as missing above; as a level it is not.
    common["missing"] = int(cell_texts(cells, levels).isna().sum())
    common["missing_texts"] = {text: count for text, count in common["missing_texts"].items() if text not in levels}
    return ColumnProfile(kind="category", levels=levels, **common)


def _levels(cells: Any) -> tuple[str, ...] | None:
    """Return the sorted levels of a category; None where they are too many to be one."""
    known = cell_texts(cells, NOTHING).dropna()
    if all(map(CODE.fullmatch, known.unique())):
        known = cell_texts(cells, (*NOTHING, NOT_AVAILABLE)).dropna()
    levels = known.unique()
    if len(levels) > MAX_LEVELS or (len(levels) > MAX_FLAG_LEVELS and len(levels) * ROWS_A_LEVEL > len(known)):
        return None
    return tuple(sorted(levels))


def _is_mostly_numbers(numbers: pd.Series, unreadable: int, odd: Mapping[str, int]) -> bool:
    """Return whether a column is one of numbers, although some of its cells are none."""
    few = len(odd) <= MAX_ODD_TEXTS and unreadable <= MAX_ODD_SHARE * (len(numbers) + unreadable)
    return few and numbers.nunique() >= MIN_DIFFERENT_NUMBERS


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
