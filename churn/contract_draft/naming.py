"""Unique snake_case names for columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

# Letters that Unicode does not take apart into one of ASCII and an accent.
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"})
# Where a word ends: "SeniorCitizen", "customerID", "HTTPServer".
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(spelling: str) -> str:
    """Convert a column's name to the contracts' style: lower-case ASCII words with underscores; empty if none is left.

    Examples
    --------
    >>> [snake_case(name) for name in ("SeniorCitizen", "customerID", "Total day-minutes", "StreamingTV", "Größe (€)", "5G")]
    ['senior_citizen', 'customer_id', 'total_day_minutes', 'streaming_tv', 'grosse', '5_g']
    """
    ascii_only = unicodedata.normalize("NFKD", spelling.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return "_".join(re.findall(r"[a-z0-9]+", _WORD_ENDS.sub("_", ascii_only).lower()))


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return a valid column name that is not taken, as near to the wanted one as possible.

    Parameters
    ----------
    wanted : str
    taken : collection of str

    Returns
    -------
    str

    Examples
    --------
    >>> free_name("plan", {"plan"}), free_name("5_g", ()), free_name("", ())
    ('plan_2', 'column_5_g', 'column')
    """
    name = wanted if wanted[:1].isalpha() else f"column_{wanted}".rstrip("_")
    place, tried = 2, name
    while tried in taken:
        tried, place = f"{name}_{place}", place + 1
    return tried
