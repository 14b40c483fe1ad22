"""Read a CSV or Parquet file as columns, cell by cell as it was written. `churn.data.dataset` decides what the cells mean."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from churn.customers.bounded_texts import TooMuchText, bounded_texts
from churn.customers.column_names import first_repeated
from churn.customers.csv_header import header_problem, is_note, lines_below, separator_of
from churn.data.csv_chunks import Irregular, check_columns, chunks, strict_rows, why_unreadable
from churn.data.file_kind import file_kind, is_parquet, parquet_files
from churn.data.unchanged import check_unchanged, stamp_of
from churn.errors import ContractError, InputError, Problem
from churn.one_line import one_line

# pyarrow reads in blocks, and a line must fit into one. No customer is that long.
MAX_LINE_LENGTH = 4 * 2**20
# A file may unpack to so many times its size, and so many bytes more: customers by the million take a tenth of that.
MAX_UNPACKED_TIMES, UNPACKED_BYTES = 100, 256 * 2**20
# Of a number, or of a text's place in its dictionary and what it takes beside it.
BYTES_A_CELL = 8
SHOWN_BYTES = 100
INSPECTED_ROWS = 64 * 2**10
# Where the header and the line after it are looked for, among empty ones.
INSPECTED_LINES = 1_000
_TOO_MUCH = f"it unpacks to more than {MAX_UNPACKED_TIMES} times its size, as no table does"


@dataclass(frozen=True)
class TabularFile:
    """The columns of one file, in its order: text if it is a CSV file, any type if it is Parquet."""

    path: Path
    columns: dict[str, Any]
    rows: int

    def lines(self, rows: list[int]) -> dict[int, int]:
        """Give the number people know a row by: its line in a CSV file (the header is line 1), its place from 1 in Parquet.

        Only asked about the few rows of an error message: blank lines and quoted line breaks make it a slow question. Rows that
        cannot be told (behind a field of 128 KiB, where Python's reader gives up) are left out.
        """
        if self.path.is_dir() or is_parquet(self.path):
            return {row: row + 1 for row in rows}
        wanted, found, row = set(rows), dict[int, int](), -1  # the header is row -1
        with open_text(self.path) as text, suppress(csv.Error, ValueError):
            reader, start = csv.reader(bounded_lines(text), delimiter=csv_separator(self.path)), 1
            for cells in reader:
                if row < 0 and is_note(cells):
                    continue
                if cells and row in wanted:
                    found[row] = start
                row += bool(cells)
                start = reader.line_num + 1
                if len(found) == len(wanted):
                    break
        return found


def read_tabular_file(path: Path) -> TabularFile:
    """Read a file whole.

    Parameters
    ----------
    path : Path
        Parquet, or CSV in UTF-8, zipped by gzip or not, whatever its name is: commas (or what `separator_of` finds), double
        quotes, any line ending, a byte order mark or none. Blank lines are skipped. Or a folder of Parquet files with the same
        columns.

    Raises
    ------
    ContractError
        If a row has more or fewer fields than the header, or two columns have the same name.
    InputError
        If the file cannot be read at all, is something else (an Excel workbook), or does not show what separates its fields.
    """
    if path.is_dir():
        table = _read_folder(path)
    elif path.is_file():
        table = _read_file(path)
    else:
        raise InputError(f"{path}: {'is no file but a device or a pipe; save it as a file' if path.exists() else 'no such file'}")
    names = [name.strip() for name in table.column_names]
    if repeated := first_repeated(names):
        raise ContractError(str(path), [Problem("the file has two columns of this name", column=repeated)])
    return TabularFile(path, dict(zip(names, table.columns, strict=True)), table.num_rows)


def _read_folder(folder: Path) -> pa.Table:
    tables = [_read_file(path) for path in parquet_files(folder)]
    try:
        # (What is null in all rows of one file has no type there.)
        return pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException as error:
        raise InputError(f"{folder}: its files do not have the same columns ({one_line(error, 200)})") from error


def _read_file(path: Path) -> pa.Table:
    parquet, before = is_parquet(path), stamp_of(path)
    try:
        table = _read_parquet(path) if parquet else _read_csv(path)
    except (pa.ArrowException, csv.Error, zlib.error, OSError, EOFError, ValueError) as error:
        kind = "Parquet" if parquet else "CSV text in UTF-8"
        raise InputError(f"{path}: not readable as {kind} ({why_unreadable(error, path)})") from error
    check_unchanged(path, before)
    return table


def _read_csv(path: Path) -> pa.Table:
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    with _open(path) as raw:
        if b"\0" in raw.read(INSPECTED_ROWS):
            raise ValueError("it holds NUL bytes, so it is binary, or UTF-16")
    with open_text(path) as text:
        separator = csv_separator(path)
        reader = csv.reader(bounded_lines(text), delimiter=separator)
        lines = filter(None, islice(reader, INSPECTED_LINES))
        names, following, skipped = next(lines, []), [], 0
        if is_note(names):
            skipped, names = reader.line_num, next(lines, [])
        with suppress(csv.Error):  # of a huge field, which pyarrow may read
            following = (lines_below(lines) or [[]])[-1]
    check_columns(names)
    check_header(path, names, following)
    packed = file_kind(path) == "gzip"
    table = pa.csv.read_csv(
        pa.PythonFile(_Unpacked(path), mode="r") if packed else pa.input_stream(str(path), compression=None),
        # One thread: with more, pyarrow cannot tell which row is ragged.
        pa.csv.ReadOptions(use_threads=False, block_size=MAX_LINE_LENGTH, skip_rows=skipped),
        pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
        pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    _check_text(path, separator)
    if ragged:
        first = ragged[0].number - 2 - skipped  # pyarrow counts from 1, the header and what is skipped included
        rule = f"must have {ragged[0].expected_columns} fields, as the header has, not {ragged[0].actual_columns}"
        line = TabularFile(path, {}, 0).lines([first]).get(first)
        raise ContractError(str(path), [Problem(rule, row=line)], total=len(ragged))
    return table


def _check_text(path: Path, separator: str) -> None:
    """Refuse what pyarrow reads and other readers of the same file do not: NUL characters, and quotes that close too early."""
    with _open(path) as raw:
        for chunk in chunks(raw, 1, separator):
            if not isinstance(chunk, Irregular):
                continue
            raw.seek(chunk.start)
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            for _ in strict_rows(bounded_lines(text), separator, str(path), chunk.line):
                pass


def _read_parquet(path: Path) -> pa.Table:
    max_bytes = _max_unpacked(path)
    with pa.parquet.ParquetFile(path) as file:
        metadata, names = file.metadata, file.schema_arrow.names
    leaves = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    check_columns(leaves)
    # What a few bytes say of every row costs as much as if it were there.
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    cells = [(leaf, group.column(place).num_values) for place, leaf in enumerate(leaves) for group in groups]
    if sum(max(BYTES_A_CELL, leaf.length) * count for leaf, count in cells) > max_bytes:
        raise ValueError(_TOO_MUCH)
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    # A column at a time, with its texts as a dictionary and places in it: of one that repeats there is one, and of one that is
    # longer than any rule reads only the beginning.
    with pa.parquet.ParquetFile(path, read_dictionary=texts) as file:
        try:
            columns = [_bounded(file.read(columns=[name]).column(0), max_bytes) for name in names]
        except TooMuchText:
            raise ValueError(_TOO_MUCH) from None
    return pa.table(columns, names=names)


def _bounded(column: Any, max_bytes: int) -> Any:
    kind = column.type
    if not (pa.types.is_dictionary(kind) and (pa.types.is_binary(kind.value_type) or pa.types.is_large_binary(kind.value_type))):
        return bounded_texts(column, max_bytes)
    # Bytes are no customer's value: only the beginning is shown.
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, pc.binary_slice(chunk.dictionary, 0, SHOWN_BYTES))
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kind if not chunks else None)


def _max_unpacked(path: Path) -> int:
    return MAX_UNPACKED_TIMES * path.stat().st_size + UNPACKED_BYTES


class _Unpacked(io.RawIOBase):
    """A zipped file, as pyarrow reads it, that ends with an error where it unpacks to more than any table would."""

    def __init__(self, path: Path) -> None:
        self._path, self._file, self._left = path, gzip.GzipFile(path), _max_unpacked(path)

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to so many bytes."""
        found = self._file.read(min(size, MAX_LINE_LENGTH) if size >= 0 else MAX_LINE_LENGTH)
        self._left -= len(found)
        if self._left < 0:
            raise ValueError(_TOO_MUCH)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def bounded_lines(text: Any) -> Iterator[str]:
    """Yield the lines of a text file; ValueError at one that is longer than any row."""
    while line := text.readline(MAX_LINE_LENGTH + 1):
        if len(line) > MAX_LINE_LENGTH:
            raise ValueError("straddling")
        yield line


def csv_separator(path: Path) -> str:
    """Return what separates the fields of a CSV file, zipped or not."""
    with open_text(path) as text:
        return separator_of(bounded_lines(text))


def check_header(source: Path | str, first_line: list[str], second_line: list[str]) -> None:
    """Raise InputError if a file's first line cannot be its header.

    Parameters
    ----------
    source : Path or str
        The file, for errors.
    first_line, second_line : list of str
        Their fields.
    """
    if problem := header_problem(first_line, second_line):
        raise InputError(f"{source}: {problem}")


def _open(path: Path) -> Any:
    return gzip.open(path) if file_kind(path) == "gzip" else path.open("rb")


def open_text(path: Path) -> Any:
    """Open a CSV file, zipped or not, as text in UTF-8, with or without a byte order mark."""
    return io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="")
