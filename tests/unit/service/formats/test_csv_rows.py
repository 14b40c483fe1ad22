"""CSV in pieces is what `csv.reader` makes of the whole, and no call into it gets more than a piece."""

from __future__ import annotations

import csv
import gzip
import random
import tracemalloc
from io import StringIO

import pytest

from churn.data.csv_chunks import MAX_COLUMNS
from service.formats import csv_rows
from service.formats.csv_rows import bounded_lines, decoded
from service.http.errors import Unprocessable

PARTS = ("a", "", ",", '"', '""', "\n", "\r\n", "\r", "é", "\x0b", "\u2028", '"x\ny"', '"x\r\ny",')


def rows(lines: object) -> list[list[str]] | str:
    try:
        return list(csv.reader(lines, strict=True))  # type: ignore[arg-type]
    except csv.Error as error:
        return str(error)


def test_rows_are_the_same_wherever_the_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "PIECE_CHARACTERS", 7)
    for seed in range(1_000):
        chance = random.Random(seed)  # noqa: S311 -- the same texts each time
        text = "".join(chance.choices(PARTS, k=chance.randrange(40)))
        assert rows(bounded_lines(text)) == rows(StringIO(text, newline="")), repr(text)
        assert "".join(bounded_lines(text)) == text


def test_a_line_of_more_fields_than_there_are_columns_is_refused_before_it_is_read() -> None:
    with pytest.raises(Unprocessable) as caught:
        list(csv.reader(bounded_lines("a,b\n" + "1," * 1_000_000)))
    assert [one.problem for one in caught.value.errors] == [f"has a line of more than {MAX_COLUMNS} fields"]


def test_a_long_line_takes_no_more_than_itself_and_short_ones_before_it_are_found_in_one_pass() -> None:
    line = "x" * 5_000_000
    text = "a\r" * 60_000 + line + "\nb"
    tracemalloc.start()
    try:
        assert sum(1 for _ in bounded_lines(text)) == 60_002
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * len(line)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(b"state\nKS\n"), "is packed by gzip; say so with the header Content-Encoding: gzip, or unpack it"),
        ("state\nKS\n".encode("utf-16"), "is text in UTF-16, as Excel's “Unicode Text” is; save it as CSV in UTF-8, with commas"),
        (
            "state\nZürich\n".encode("cp1252"),
            "must be UTF-8, and some letters of line 2 are not, as Windows programs write them; save it as",
        ),
        (b"PK\x03\x04xl/workbook", "is an Excel workbook or another ZIP archive; save it as CSV in UTF-8"),
        (b"state\nK\0S\n", "must not contain NUL characters"),
    ],
)
def test_a_body_that_is_no_text_we_read_is_named_with_what_to_do(body: bytes, words: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        decoded(body)
    assert refused.value.errors[0].field == "body"
    assert refused.value.errors[0].problem.startswith(words)
