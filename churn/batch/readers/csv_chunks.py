"""Cut a CSV file into chunks of whole rows, by a look at its bytes: where lines end, and which of those ends lie within quotes.

What is not certainly regular is left to Python's reader, which knows every case and takes its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

CHUNK_BYTES = 2 * 2**20
# No row of a customer is that long: perhaps a quote is not closed.
MAX_ROW_BYTES = 4 * 2**20
_QUOTE, _LINE_FEED, _RETURN = b'"\n\r'


@dataclass(frozen=True)
class Chunk:
    """Whole rows.

    Attributes
    ----------
    text : bytes
    line : int
        Number of its first line in the file.
    quoted : bool
        Whether there are quotes in it.
    """

    text: bytes
    line: int
    quoted: bool

    def rows(self) -> list[tuple[int, bytes]]:
        """Return its rows, each with the number of its line; empty lines are none."""
        lines = enumerate(self.text.split(b"\n"), start=self.line)
        return [(number, line) for number, line in lines if line not in (b"", b"\r")]


@dataclass(frozen=True)
class Irregular:
    """Where what is certain ends.

    Attributes
    ----------
    start : int
        Its first byte in the file.
    line : int
        The number of its first line.
    """

    start: int
    line: int


def chunks(file: Any, line: int, separator: str = ",") -> Iterator[Chunk | Irregular]:
    """Cut what is left of a file.

    Parameters
    ----------
    file : binary file
        At the start of a row.
    line : int
        The number of its line.
    separator : str
        Of its fields.

    Yields
    ------
    Chunk or Irregular
        After `Irregular` nothing more: from there on, line breaks within quotes, quotes within texts or line ends of other kinds
        decide what a row is.
    """
    start, rest = file.tell(), b""
    while True:
        read = file.read(CHUNK_BYTES)
        text = rest + read
        if not text:
            return
        end = len(text) if not read else text.rfind(b"\n") + 1
        rest, text = text[end:], text[:end]
        if len(rest) > MAX_ROW_BYTES or not _is_regular(text, ord(separator)):
            yield Irregular(start, line)
            return
        if text:
            yield Chunk(text, line, b'"' in text)
            start, line = start + len(text), line + text.count(b"\n")
        if not read:
            return


def _is_regular(text: bytes, separator: int) -> bool:
    """Tell whether each line is a row, and each quote begins or ends a field, or stands for one in it."""
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return False
    if b'"' not in text:
        return True
    read = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(read == _QUOTE)
    if len(quotes) % 2:
        return False
    opening, closing = quotes[0::2], quotes[1::2]
    before = read[opening[opening > 0] - 1]
    after = read[closing[closing < len(read) - 1] + 1]
    # Of two quotes within quotes the first seems to close, and the second to open.
    if (
        not np.isin(before, (separator, _LINE_FEED, _QUOTE)).all()
        or not np.isin(after, (separator, _LINE_FEED, _RETURN, _QUOTE)).all()
    ):
        return False
    ends = np.flatnonzero(read == _LINE_FEED)
    return not bool((np.searchsorted(quotes, ends) % 2).any())
