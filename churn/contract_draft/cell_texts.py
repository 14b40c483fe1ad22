"""Read the cells of a file as texts, before there is a contract that says what they mean."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pandas as pd
import pyarrow as pa

from churn.contract import Column
from churn.customers.cell_rule import MAX_NUMBER, MISSING_TEXTS, CellRule
from churn.customers.cells import json_value
from churn.customers.from_arrow import python_values
from churn.number_format import NUMBER_PATTERN

_NUMBER = re.compile(NUMBER_PATTERN)


def cell_texts(cells: Any, levels: tuple[str, ...] = ()) -> pd.Series:
    """Return texts without the blanks around them, None where missing.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray, length n
    levels : tuple of str
        Texts that only look missing (`NA`).

    Returns
    -------
    pandas.Series of object, shape (n,)
    """
    # (A sensitive category has no levels that it must be one of; here any text is welcome.)
    rule = CellRule(Column(name="n", source="n", kind="category", role="sensitive", levels=levels))

    known: dict[Any, Any] = {None: rule.parse(None)}

    def text(cell: Any) -> Any:
        if not isinstance(cell, str):
            cell = json_value(cell)
            if cell is None or isinstance(cell, int | float):
                return rule.parse(cell)
            cell = str(cell)
        if cell not in known:
            known[cell] = rule.parse(cell)
        return known[cell]  # one object for all that are alike

    return pd.Series(
        [known[cell] if cell is None else text(cell) for chunk in cells.chunks for cell in python_values(chunk)], dtype=object
    )


def missing_texts(cells: Any) -> Counter[str]:
    """Return the texts that count as missing and are not empty, each with its number of cells."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Counter()
    counts = Counter(cell for chunk in cells.chunks for cell in python_values(chunk) if cell is not None)
    found: Counter[str] = Counter()
    for text, count in counts.items():
        stripped = text.strip()
        if stripped and stripped.lower() in MISSING_TEXTS:
            found[stripped] += count
    return found


def is_number(text: str) -> bool:
    """Return whether a text is a number that a customer may have."""
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) <= MAX_NUMBER


def is_too_large(text: str) -> bool:
    """Return whether a text is a number, and so large that no customer may have it (the largest float, for a missing value)."""
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) > MAX_NUMBER
