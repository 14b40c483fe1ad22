"""Rows of CSV, read in pieces: no call into the parser, which keeps Python's lock meanwhile, gets more than one piece."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from itertools import chain

from service.formats.json_text import refuse

# No contract has so many.
MAX_COLUMNS = 10_000
PIECE_CHARACTERS = 64 * 1024


def bounded_lines(text: str) -> Iterator[str]:
    """Yield the lines of a text with their ends, as `csv.reader` wants them.

    Parameters
    ----------
    text : str

    Yields
    ------
    str

    Raises
    ------
    Unprocessable
        If a long line has more fields than any contract has columns.
    """
    return chain.from_iterable(_pieces(text))


def _pieces(text: str) -> Iterator[Iterator[str]]:
    start = 0
    while start < len(text):
        end = _after_line(text, start + PIECE_CHARACTERS)
        if end - start > 2 * PIECE_CHARACTERS and text.count(",", start, end) > MAX_COLUMNS + PIECE_CHARACTERS:
            refuse("body", f"has a line of more than {MAX_COLUMNS} fields")
        yield StringIO(text[start:end], newline="")
        start = end


def _after_line(text: str, place: int) -> int:
    """Return where the next line begins: after a line feed or, in a text of old, after a carriage return."""
    while place < len(text):
        for end in ("\n", "\r"):
            if (found := text.find(end, place, place + PIECE_CHARACTERS)) >= 0:
                found += 1
                return found + 1 if end == "\r" and text[found : found + 1] == "\n" else found
        place += PIECE_CHARACTERS
    return len(text)
