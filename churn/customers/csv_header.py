"""Recognize a first line of a CSV file that is no header, and say what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN_CHARACTERS = 60
# A line of one field above lines of so many is a title.
_MIN_FIELDS = 3


def header_problem(first_line: Sequence[str], second_line: Sequence[str] = ()) -> str | None:
    """Return why a file's first line cannot be its header, and what to do; None if it may be one.

    Parameters
    ----------
    first_line, second_line : sequence of str
        Their fields.

    Returns
    -------
    str or None

    Examples
    --------
    >>> header_problem(["sep=;"])
    "the first line ('sep=;') is a note for Excel and no header; delete it"
    >>> header_problem(["Export of June"], ["State", "Calls", "Churn"])
    "the first line ('Export of June') is a title and no header; delete it"
    >>> header_problem(["State;Churn"])
    'separated by semicolons; save it with commas, and numbers with decimal points'
    """
    named = [name.strip() for name in first_line if name.strip()]
    if len(named) != 1:
        return None
    shown = named[0][:_SHOWN_CHARACTERS]
    if shown.lower().startswith("sep="):
        return f"the first line ({shown!r}) is a note for Excel and no header; delete it"
    if len(first_line) == 1 and (other := next((mark for mark in SEPARATORS if mark in named[0]), None)):
        return f"separated by {SEPARATORS[other]}; save it with commas, and numbers with decimal points"
    if len(list(filter(None, second_line))) >= _MIN_FIELDS:
        return f"the first line ({shown!r}) is a title and no header; delete it"
    return None
