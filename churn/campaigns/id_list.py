"""Read a list of customers' ids that somebody wrote or exported: one a line, or a CSV file that has a column of them."""

from __future__ import annotations

import csv
from pathlib import Path

from churn.contract import Contract
from churn.customers.column_names import CUSTOMER_ID, ColumnNames
from churn.customers.csv_header import is_note, separator_of
from churn.customers.customer_id import require_id
from churn.errors import InputError

_QUOTE = '"'


def read_id_list(path: Path, contract: Contract) -> list[str]:
    """Return the ids of a file.

    Parameters
    ----------
    path : Path
        UTF-8. With a first line that names the column of ids it is CSV, and other columns are not read. Without one, a line is an
        id, and quotes around it are none of its own; where all lines have several fields, which of them is the id is not guessed.
        Blank lines name nobody.
    contract : Contract
        Which knows what the column of ids is called.

    Returns
    -------
    list of str
        As the service stores them, in the order of the file.

    Raises
    ------
    InputError
        If it is no file or no text in UTF-8, or a line names nobody or breaks a rule: the message names the line.
    """
    lines = [(number, line) for number, line in enumerate(_text(path).split("\n"), start=1) if line.strip()]
    separator = separator_of(line for _, line in lines)
    if lines and is_note(_cells(lines[0][1], separator)):
        lines = lines[1:]
    names = ColumnNames(contract)
    header = [names.find(name.strip()) for name in _cells(lines[0][1], separator)] if lines else []
    if CUSTOMER_ID not in header:
        if lines and all(len(_cells(line, separator)) > 1 for _, line in lines):
            raise InputError(
                f"{path}: has more than one column, and none that is called {CUSTOMER_ID}; call the ids so in its first line"
            )
        return [require_id(_unquoted(line), _where(path, number)) for number, line in lines]
    found, place = [], header.index(CUSTOMER_ID)
    for number, line in lines[1:]:
        cells = _cells(line, separator)
        if len(cells) != len(header):
            raise InputError(f"{_where(path, number)}must have {len(header)} fields, as the header has, not {len(cells)}")
        found.append(require_id(cells[place], _where(path, number)))
    return found


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no file but a folder, a device or a pipe; save the ids as a file")
    try:
        # (`splitlines` would also part an id at letters that only some programs take for the end of a line.)
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or 'must be UTF-8'}") from error


def _where(path: Path, number: int) -> str:
    return f"{path}: line {number}: "


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _unquoted(line: str) -> str:
    text = line.strip()
    return text[1:-1].replace(_QUOTE * 2, _QUOTE) if len(text) > 1 and text[0] == text[-1] == _QUOTE else line
