"""Chunks of whole rows: what is certainly regular is cut at line ends, and where that ends is said."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from churn.data import csv_chunks
from churn.data.csv_chunks import Chunk, Irregular, chunks, why_unreadable

REGULAR = b'a,b\r\n"x, y",2\n\n"say ""hi""",3\n,\n"",""\n4,"5"'


def cut(text: bytes, separator: str = ",", line: int = 1, start: int = 0) -> list[Chunk | Irregular]:
    file = io.BytesIO(text)
    file.seek(start)
    return list(chunks(file, line, separator))


@pytest.mark.parametrize("size", [1, 3, 7, 20, 1_000])
def test_rows_are_whole_and_known_by_their_lines(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", size)
    found = cut(REGULAR, line=5)
    assert b"".join(one.text for one in found if isinstance(one, Chunk)) == REGULAR
    rows = [row for one in found if isinstance(one, Chunk) for row in one.rows()]
    assert [number for number, _ in rows] == [5, 6, 8, 9, 10, 11]
    assert [next(csv.reader([text.decode()])) for _, text in rows] == [
        ["a", "b"],
        ["x, y", "2"],
        ['say "hi"', "3"],
        ["", ""],
        ["", ""],
        ["4", "5"],
    ]
    assert all(one.quoted == (b'"' in one.text) for one in found if isinstance(one, Chunk))


@pytest.mark.parametrize(
    "odd",
    [b'1,"a\nb"\n', b'1,a"b"\n', b'1,"a"b\n', b'1,"a\n', b'x"1","2\n3\n', b"1,2\r3,4\n", b"1,2\n\r3\n", b'1,"a\nb",2,"c\nd"\n'],
)
def test_what_is_not_certain_is_left_from_its_start_on(odd: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 4)
    plain = b"1,2\n" * 3
    found = cut(plain + odd + plain)
    assert isinstance(found[-1], Irregular)
    assert [one for one in found if isinstance(one, Irregular)] == found[-1:]
    before = b"".join(one.text for one in found if isinstance(one, Chunk))
    assert (plain + odd).startswith(before)
    assert (found[-1].start, found[-1].line) == (len(before), 1 + before.count(b"\n"))
    assert len(before) >= len(plain)
    monkeypatch.undo()
    assert cut(odd, line=9) == [Irregular(0, 9)]
    assert cut(b'1,"a"b') == [Irregular(0, 1)]


def test_the_files_own_separator_decides() -> None:
    text = b'1;"2";3\n'
    assert cut(text, ";") == [Chunk(text, 1, True)]
    assert cut(text) == [Irregular(0, 1)]


def test_an_endless_row_is_not_read_on_and_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_chunks, "CHUNK_BYTES", 4)
    monkeypatch.setattr(csv_chunks, "MAX_ROW_BYTES", 8)
    assert cut(b"1,345678\n") == [Chunk(b"1,345678\n", 1, False)]
    assert cut(b"1\n" + b"x" * 30) == [Chunk(b"1\n", 1, False), Irregular(2, 2)]


def test_a_line_in_which_a_field_may_be_too_long_is_not_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_chunks, "MAX_FIELD", 5)
    for text in (b"1,34\n" * 9, b"1,34\n" * 9 + b"12345", b"12345", b""):
        assert not any(isinstance(piece, Irregular) for piece in cut(text)), text
    for text in (b"1,345\n1\n", b"1\n1,3456\n", b"1\n1\n1\n1,3456", b"123456"):
        assert isinstance(cut(text)[-1], Irregular), text


def test_it_begins_where_the_file_stands_and_nothing_is_no_chunk() -> None:
    assert cut(b"a\nb\n", start=2, line=2) == [Chunk(b"b\n", 2, False)]
    assert cut(b"a\nx\ry\n", start=2, line=2) == [Irregular(2, 2)]
    assert cut(b"") == []
    assert (csv_chunks.CHUNK_BYTES, csv_chunks.MAX_ROW_BYTES) == (2 * 2**20, 4 * 2**20)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "in.csv").write_bytes(pack("State\nKS\nZürich\n".encode("cp1252")))
    error = UnicodeDecodeError("utf-8", b"", 0, 1, "")
    assert why_unreadable(error, tmp_path / "in.csv").startswith("some letters of line 3 are not in UTF-8")
