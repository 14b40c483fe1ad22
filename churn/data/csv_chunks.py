"""Cut a CSV file into chunks of whole rows, by a look at its bytes: where lines end, and which of those ends lie within quotes.

What is not certainly regular is left to Python's reader, which knows every case and takes its time. Every reader of files meets
the same rules here: no NUL bytes, quotes as RFC 4180 has them, no more columns than any contract.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sized
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from churn.errors import ContractError, Problem
from churn.one_line import one_line

CHUNK_BYTES = 2 * 2**20
# No row of a customer is that long: perhaps a quote is not closed.
MAX_ROW_BYTES = 4 * 2**20
# What Python's reader takes of one field, and so every reader of CSV.
MAX_FIELD = 131_072
# No contract has so many.
MAX_COLUMNS = 10_000
_QUOTE, _LINE_FEED, _RETURN = b'"\n\r'
_PACKED = b"\x1f\x8b"
_NUL = "holds a NUL byte, as binary files and UTF-16 do"
# What Python's reader calls it, and what to do about it.
_RULES = (
    ("field larger than", f"a field has more than {MAX_FIELD:,} characters; is a quote not closed?"),
    ("unexpected end", "a quote is opened and not closed"),
    ("expected after", "after a quote that closes a field its separator is expected; a quote within quotes is written twice"),
)


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
        decide what a row is, a field may be too long, or there is a NUL byte.
    """
    start, rest = file.tell(), b""
    while True:
        read = file.read(CHUNK_BYTES)
        text = rest + read
        if not text:
            return
        end = len(text) if not read else text.rfind(b"\n") + 1
        rest, text = text[end:], text[:end]
        if len(rest) > MAX_ROW_BYTES or _has_long_line(text) or not _is_regular(text, ord(separator)):
            yield Irregular(start, line)
            return
        if text:
            yield Chunk(text, line, b'"' in text)
            start, line = start + len(text), line + text.count(b"\n")
        if not read:
            return


def _without_nul(lines: Iterable[str], source: str, line: int) -> Iterator[str]:
    for number, text in enumerate(lines, line):
        if "\0" in text:
            raise ContractError(source, [Problem(_NUL, row=number)])
        yield text


def strict_rows(lines: Iterable[str], separator: str, source: str, line: int) -> Iterator[tuple[int, list[str]]]:
    """Read rows as RFC 4180 has them, by Python's reader.

    Parameters
    ----------
    lines : iterable of str
    separator : str
    source : str
        What an error calls the file.
    line : int
        The number of the first line.

    Yields
    ------
    line : int
        On which the row begins.
    row : list of str

    Raises
    ------
    ContractError
        At a row that is none, or a NUL character; it says which rule is broken.
    """
    reader, start = csv.reader(_without_nul(lines, source, line), delimiter=separator, strict=True), line
    try:
        for row in reader:
            yield start, row
            start = line + reader.line_num
    except csv.Error as error:
        raise ContractError(source, [Problem(csv_rule(error), row=start)]) from error


def check_columns(names: Sized) -> None:
    """Raise ValueError if there are more columns than any contract has."""
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"it has {len(names)} columns; {MAX_COLUMNS} are the most")


def csv_rule(error: Exception) -> str:
    """Return which rule of CSV is broken, in words.

    Parameters
    ----------
    error : csv.Error
        Of Python's reader.

    Examples
    --------
    >>> csv_rule(ValueError("unexpected end of data"))
    'a quote is opened and not closed'
    """
    return next((rule for said, rule in _RULES if said in str(error)), str(error))


def why_unreadable(error: Exception, path: Path) -> str:
    """Return why a file of CSV cannot be read, in words, and what to do.

    Parameters
    ----------
    error : Exception
        Of whoever read it.
    path : Path
        The file: which line is not in UTF-8 is looked for in it.

    Returns
    -------
    str
    """
    if "straddling" in str(error):
        return f"a line is longer than {MAX_ROW_BYTES >> 20} MiB; is a quote not closed?"
    if "Empty CSV" in str(error):
        return "it is empty, or a header only"
    if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in str(error):
        line = _undecodable_line(path)
        where = f"letters of line {line:,}" if line else "of its letters"
        return (
            f"some {where} are not in UTF-8, as Windows programs write them; save it as “CSV UTF-8”, or, if it is in "
            "windows-1252: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
        )
    return one_line(error, 200)


def _undecodable_line(path: Path) -> int | None:
    with suppress(OSError, EOFError, zlib.error), path.open("rb") as plain:
        packed = plain.read(len(_PACKED)) == _PACKED
        plain.seek(0)
        for number, line in enumerate(gzip.GzipFile(fileobj=plain) if packed else plain, start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return None


def _has_long_line(text: bytes) -> bool:
    """Tell whether a line is longer than a field may be; from one line end it leaps to the last one within reach."""
    place = 0
    while len(text) - place > MAX_FIELD:
        place = text.rfind(b"\n", place, place + MAX_FIELD) + 1
        if not place:
            return True
    return False


def _is_regular(text: bytes, separator: int) -> bool:
    """Tell whether each line is a row, and each quote begins or ends a field, or stands for one in it."""
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return False
    if b"\0" in text:
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
