"""Tell a CSV file's separator by its first lines, and recognize a first line that is no header: say what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN_CHARACTERS = 60
# So many lines, and of each so much, are looked at for a separator.
_INSPECTED_LINES, _INSPECTED_CHARACTERS = 1_000, 64 * 2**10
_QUOTED = re.compile(r'"[^"]*"')
# A line of one field above lines of so many is a title.
_MIN_FIELDS = 3
# Below a title there may be so many more lines of one field: a date, who made it.
_TITLE_LINES = 20
# A note for Excel, as read by what it says: "sep=;" is these two fields.
_NOTE = re.compile(r"\ufeff?sep=([,;\t|])[ \r\n]*", re.IGNORECASE)
# What no column is called: numbers, answers, dates.
_NUMBER = re.compile(r"[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?%?")
_DATE = "[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}"
_VALUE = re.compile(rf"{_NUMBER.pattern}|yes|no|true|false|n/?a|null|nan|{_DATE}", re.IGNORECASE)


def separator_of(lines: Iterable[str]) -> str:
    """Return what separates fields in a CSV file: a comma, or what its first two lines hold if there is no comma in the header.

    Parameters
    ----------
    lines : iterable of str
        From the first one on; no more are asked for than are needed.

    Returns
    -------
    str
        A comma where it is not clear: `header_problem` says then what was found.

    Examples
    --------
    >>> separator_of(["State;Calls, by day;Churn", "KS;1;No"]), separator_of(['"Calls, by day";Churn', "1,5;No"])
    (',', ';')
    >>> separator_of(["Export; June", "State,Calls"]), separator_of(["State;Churn"]), separator_of(["sep=;", "State"])
    (',', ';', ';')
    """
    written = (line[:_INSPECTED_CHARACTERS] for line in islice(lines, _INSPECTED_LINES) if line.strip())
    first, row = next(written, ""), next(written, "")
    if note := _NOTE.fullmatch(first):
        return note[1]
    header = _QUOTED.sub("", first)
    if "," in header:
        return ","
    found = [mark for mark in SEPARATORS if mark in header]
    # (The row may be the beginning of one, up to a line break within quotes.)
    return found[0] if len(found) == 1 and (found[0] in row or "," not in row) else ","


def first_named(rows: Iterator[list[str]]) -> list[str]:
    """Return the first row that may be a header: none without a field, and no note for Excel of what separates.

    Parameters
    ----------
    rows : iterator of list of str
        Read by what `separator_of` found.

    Returns
    -------
    list of str
        Empty if there is none.

    Examples
    --------
    >>> first_named(iter([["sep=", ""], ["State", "Churn"], ["KS", "No"]]))
    ['State', 'Churn']
    """
    row = next(filter(None, rows), [])
    return next(filter(None, rows), []) if is_note(row) else row


def lines_below(rows: Iterator[list[str]]) -> list[list[str]]:
    """Return the rows below a header, up to the first of some fields: by that one `header_problem` tells whether it is a header.

    Parameters
    ----------
    rows : iterator of list of str
        Those after the header; what is returned is taken from it.

    Returns
    -------
    list of list of str
        Without empty ones.
    """
    taken: list[list[str]] = []
    for row in islice(filter(None, rows), _TITLE_LINES):
        taken.append(row)
        if len(list(filter(None, row))) > 1:
            break
    return taken


def is_note(row: Sequence[str]) -> bool:
    """Return whether a row is Excel's note of what separates, as `separator_of` obeys it."""
    return len(row) == len(("sep=", "")) and not row[1].strip() and row[0].lstrip("\ufeff").lower() == "sep="


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
    >>> header_problem(["sep=#"])
    "the first line ('sep=#') is a note for Excel and no header; delete it"
    >>> header_problem(["Export of June"], ["State", "Calls", "Churn"])
    "the first line ('Export of June') is a title and no header; delete it"
    >>> header_problem(["Export of June", " by Anna"], ["c-1", "KS", "128", "No", "0"])
    "the first line ('Export of June', 'by Anna') is a title and no header; delete it"
    >>> header_problem(["", ""], ["State", "Churn"])
    'the first line holds empty fields and no header; delete it'
    >>> header_problem(["State;Churn"])
    'separated by semicolons; save it with commas, and numbers with decimal points'
    >>> header_problem(["KS", "128", "265.1", "No"], ["OH", "107", "161.6", "No"])
    "the first line ('KS', '128', '265.1' …) holds values where names should be; put a line with the columns' names above it"
    """
    named = [name.strip() for name in first_line if name.strip()]
    filled = len(list(filter(None, second_line)))
    if first_line and not named:
        return "the first line holds empty fields and no header; delete it" if filled else None
    if len(named) != 1:
        # (A header has names for nearly all that is below it.)
        is_title = 0 < len(named) * 2 < filled
        return _values_or_other_separator(first_line, named) or (_title(named) if is_title else None)
    shown = named[0][:_SHOWN_CHARACTERS]
    if shown.lower().startswith("sep="):
        return f"the first line ({shown!r}) is a note for Excel and no header; delete it"
    if len(first_line) == 1 and (other := next((mark for mark in SEPARATORS if mark in named[0]), None)):
        return _separated(other)
    # (A spreadsheet fills up a title's line with empty fields.)
    if len(first_line) >= _MIN_FIELDS or filled >= _MIN_FIELDS:
        return _title(named)
    return None


def _title(named: Sequence[str]) -> str:
    return f"the first line ({_shown(named)}) is a title and no header; delete it"


def _shown(named: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:_SHOWN_CHARACTERS]) for name in named[:_MIN_FIELDS])
    return shown if len(named) <= _MIN_FIELDS else f"{shown} …"


def _values_or_other_separator(first_line: Sequence[str], named: Sequence[str]) -> str | None:
    # "Größe; in cm" is a name; more of them than commas are none.
    if other := next((mark for mark in SEPARATORS if sum(name.count(mark) for name in named) >= max(len(first_line), 2)), None):
        return _separated(other)
    values = [name for name in named if _VALUE.fullmatch(name)]
    if len(named) < _MIN_FIELDS or len(values) * 2 < len(named) or not any(map(_NUMBER.fullmatch, values)):
        return None
    return f"the first line ({_shown(named)}) holds values where names should be; put a line with the columns' names above it"


def _separated(mark: str) -> str:
    return f"separated by {SEPARATORS[mark]}; save it with commas, and numbers with decimal points"
