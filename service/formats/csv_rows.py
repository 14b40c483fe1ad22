"""Rows of CSV, read in pieces: no call into the parser, which keeps Python's lock meanwhile, gets more than one piece."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import chain

from churn.data.csv_chunks import MAX_COLUMNS
from churn.data.foreign_files import AS_CSV, START_BYTES, foreign_file
from service.formats.json_text import refuse

PIECE_CHARACTERS = 64 * 1024


def decoded(body: bytes | memoryview) -> str:
    """Return a body of CSV as text.

    Parameters
    ----------
    body : bytes or memoryview
        UTF-8, with or without a byte order mark.

    Returns
    -------
    str

    Raises
    ------
    Unprocessable
        If it is something else: what is known by its first bytes is named, with what to do.
    """
    start = bytes(body[:START_BYTES])
    if start.startswith(b"\x1f\x8b"):
        refuse("body", "is packed by gzip; say so with the header Content-Encoding: gzip, or unpack it")
    if start.startswith(b"PK\x03\x04"):
        refuse("body", f"is an Excel workbook or another ZIP archive; {AS_CSV}")
    if (what := foreign_file(start)) is not None:
        refuse("body", f"is {what}")
    try:
        text = bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = bytes(body[: error.start]).count(b"\n") + 1
        refuse("body", f"must be UTF-8, and some letters of line {line} are not, as Windows programs write them; {AS_CSV}")
    if "\0" in text:
        refuse("body", "must not contain NUL characters")
    return text


def named_fields(header: Sequence[str]) -> int:
    """Return how many fields of each row count: a spreadsheet may end each with empty ones, which have no name.

    Examples
    --------
    >>> named_fields(["customer_id", "state", "", ""]), named_fields(["", "state"]), named_fields(["", ""])
    (2, 2, 2)
    """
    return next((place for place in range(len(header), 0, -1) if header[place - 1]), len(header))


def without_nameless(row: list[str], named: int, where: str) -> list[str]:
    """Return the fields of a row that have names.

    Parameters
    ----------
    row : list of str
    named : int
        How many have, as `named_fields` says.
    where : str
        What an error calls the row.

    Returns
    -------
    list of str

    Raises
    ------
    Unprocessable
        If one behind them is not empty: it may be anything's value.
    """
    if any(cell.strip() for cell in row[named:]):
        refuse(where, "has a value in a column without a name")
    return row[:named]


def bounded_lines(text: str, separator: str = ",") -> Iterator[str]:
    """Return the lines of a text with their ends, as `csv.reader` wants them.

    Parameters
    ----------
    text : str
    separator : str
        Of its fields.

    Returns
    -------
    iterator of str

    Raises
    ------
    Unprocessable
        As they are read, if a long line has more fields than any contract has columns.
    """
    return chain.from_iterable(_pieces(text, separator))


def _pieces(text: str, separator: str) -> Iterator[Iterator[str]]:
    start = 0
    while start < len(text):
        end = _after_line(text, start + PIECE_CHARACTERS)
        if end - start <= 2 * PIECE_CHARACTERS:
            yield StringIO(text[start:end], newline="")
        elif text.count(separator, start, end) > MAX_COLUMNS + PIECE_CHARACTERS:
            refuse("body", f"has a line of more than {MAX_COLUMNS} fields")
        else:
            # StringIO would take four bytes for each character of a long line.
            yield _lines(text, start, end)
        start = end


def _lines(text: str, start: int, end: int) -> Iterator[str]:
    # The next line feed and the next carriage return: looked for again only once it is passed, as the next may be far away.
    feed = back = start - 1
    while start < end:
        if feed < start:
            feed = _place_of("\n", text, start, end)
        if back < start:
            back = _place_of("\r", text, start, end)
        after = min(feed, back) + 1
        if back + 1 == feed:
            after = feed + 1
        yield text[start : min(after, end)]
        start = after


def _place_of(mark: str, text: str, start: int, end: int) -> int:
    found = text.find(mark, start, end)
    return end if found < 0 else found


def _after_line(text: str, place: int) -> int:
    """Return where the next line begins: after a line feed or, in a text of old, after a carriage return."""
    while place < len(text):
        for end in ("\n", "\r"):
            if (found := text.find(end, place, place + PIECE_CHARACTERS)) >= 0:
                found += 1
                return found + 1 if end == "\r" and text[found : found + 1] == "\n" else found
        place += PIECE_CHARACTERS
    return len(text)
