"""Read a CSV file in pieces: regular lines by pyarrow, as numbers at once; all else by Python's reader, cell by cell.

Both give the same customers: where pyarrow cannot read a number, or finds a row that is none, Python's reader looks at the chunk.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from churn.batch import pieces
from churn.batch.pieces import Piece, Reading, ReadPiece, find
from churn.batch.plan import Part, Terms
from churn.batch.readers.id_column import read_id_column
from churn.customers.arrow_buffers import floats, from_texts
from churn.customers.cell_rule import MISSING_TEXTS
from churn.customers.cells import Cells
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.csv_header import first_named, lines_below
from churn.customers.customer_id import read_ids
from churn.customers.from_arrow import read_cells
from churn.customers.from_csv import read_texts
from churn.customers.validation import CustomerRules, Table
from churn.data.csv_chunks import Chunk, Irregular, check_columns, chunks, strict_rows
from churn.data.file_kind import file_kind
from churn.data.files import check_header, csv_separator
from churn.errors import ContractError, InputError, Problem

Row = tuple[int, list[str]]
_BYTE_ORDER_MARK = "\ufeff"
_TEXTS = pa.dictionary(pa.int32(), pa.string())
# Of rows that Python's reader gives, each cell is an object: a piece of so many takes some 10 MB.
OBJECT_ROWS = 8_192
# Texts that mean a missing number, as they are usually written; what else means it is read as a text first.
_GAPS = sorted({form for text in (*MISSING_TEXTS, "NaN") for form in (text, text.upper(), text.capitalize())} | {"NaN"})


@contextmanager
def open_csv(part: Part, rules: CustomerRules, terms: Terms) -> Iterator[Reading]:
    """Open a CSV file, zipped or not.

    Parameters
    ----------
    part : Part
    rules : CustomerRules
    terms : Terms

    Yields
    ------
    Reading

    Raises
    ------
    ContractError, pyarrow.ArrowException, OSError, ValueError
        As `churn.batch.readers.reader.open_part` says.
    """
    path = Path(part.path)
    with gzip.open(path) if file_kind(path) == "gzip" else path.open("rb") as file:
        separator = csv_separator(path)
        header, line = _read_header(part, file, separator)
        found = find(part, header, rules, terms)
        places = {name: header.index(given) for name, given in found.items()}
        reader = _Reader(part, rules, len(header), places, separator)
        with closing(reader.pieces(file, line)) as fetched:
            yield Reading(pa.string() if CUSTOMER_ID in found else None, fetched)


def _read_header(part: Part, file: Any, separator: str) -> tuple[list[str], int]:
    """Return the names of the columns and the number of the line after them, where the file stands then."""
    used = 0

    def lines(text: Any) -> Iterator[str]:
        nonlocal used
        for line in text:
            used += len(line.encode())
            yield line.removeprefix(_BYTE_ORDER_MARK) if used == len(line.encode()) else line

    with _text(file) as text:
        reader = csv.reader(lines(text), delimiter=separator, strict=True)
        header = [name.strip() for name in first_named(reader)]
        if not header:
            raise InputError(f"{part.path}: is empty")
        check_columns(header)
        end, line = used, reader.line_num + 1
        check_header(part.name, header, (lines_below(reader) or [[]])[-1])
    file.seek(end)
    return header, line


@contextmanager
def _text(file: Any) -> Iterator[Any]:
    """Read a binary file as text, and leave it open."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()


@dataclass(frozen=True)
class _Reader:
    """Reads one file.

    Attributes
    ----------
    width : int
        Columns of the file.
    places : dict
        The place of each column that is read, by its name in the contract.
    separator : str
        Of the fields.
    """

    part: Part
    rules: CustomerRules
    width: int
    places: dict[str, int]
    separator: str

    def pieces(self, file: Any, line: int) -> Generator[ReadPiece]:
        for chunk in chunks(file, line, self.separator):
            if isinstance(chunk, Irregular):
                file.seek(chunk.start)
                with _text(file) as text:
                    rows = self._rows(text, chunk.line)
                    while some := list(islice(rows, min(OBJECT_ROWS, pieces.PIECE_ROWS))):
                        yield partial(self._from_rows, some)
            else:
                yield partial(self._from_chunk, chunk)

    def _from_chunk(self, chunk: Chunk) -> Piece:
        try:
            found = self._cells(chunk, numbers=True) or self._cells(chunk, numbers=False)
        except pa.ArrowInvalid:
            found = None
        if found is None:
            return self._from_rows(list(self._rows(io.StringIO(chunk.text.decode(), newline=""), chunk.line)))
        rows, cells, ids, doubtful = found
        lines = _Lines(self, chunk)
        return Piece(Table(rows, cells, lines.record, "rows", doubtful=doubtful), ids, lines.number)

    def _cells(self, chunk: Chunk, *, numbers: bool) -> tuple[int, dict[str, Cells], Any, Any] | None:
        """Read a chunk with columns of numbers as numbers; None if a cell of theirs is none. Or with all as texts."""
        kinds = {name: self._type(name, numbers=numbers) for name in self.places}
        try:
            table = pa.csv.read_csv(
                pa.BufferReader(chunk.text),
                pa.csv.ReadOptions(
                    use_threads=False, block_size=len(chunk.text) + 1, column_names=[str(place) for place in range(self.width)]
                ),
                pa.csv.ParseOptions(delimiter=self.separator, quote_char='"' if chunk.quoted else False),
                pa.csv.ConvertOptions(
                    include_columns=[str(place) for place in self.places.values()],
                    column_types={str(self.places[name]): kind for name, kind in kinds.items()},
                    null_values=_GAPS,
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            if numbers:
                return None
            raise
        columns = {name: table.column(str(place)) for name, place in self.places.items()}
        cells: dict[str, Cells] = {}
        for name, column in columns.items():
            if name == CUSTOMER_ID:
                continue
            if pa.types.is_float64(kinds[name]):
                values = floats(column)
                # What is NaN and no gap, as -nan, is no number.
                if np.count_nonzero(np.isnan(values)) != column.null_count:
                    return None
                cells[name] = self.rules.features[name].from_numbers(values)
            else:
                cells[name] = read_cells(column, self.rules.features[name])
        ids, doubtful = None, None
        if CUSTOMER_ID in columns:
            ids, doubtful = read_id_column(columns[CUSTOMER_ID].combine_chunks())
        return table.num_rows, cells, ids, doubtful

    def _type(self, name: str, *, numbers: bool) -> Any:
        if name == CUSTOMER_ID:
            return pa.string()
        column = self.rules.features[name].column
        if column.kind not in ("number", "integer"):
            return _TEXTS
        # Where other spellings are expected, the column is read as texts at once, and the others keep their speed.
        return pa.float64() if numbers and column.number_format is None and not column.missing else pa.string()

    def record(self, cells: Sequence[str]) -> dict[str, Any]:
        """Return a row as JSON might have had it."""
        return {name: values[0] for name, values in self._columns([cells]).items()}

    def _columns(self, rows: Sequence[Sequence[str]]) -> dict[str, Sequence[Any]]:
        columns: dict[str, Sequence[Any]] = {}
        for name, place in self.places.items():
            texts = [row[place] for row in rows]
            columns[name] = texts if name == CUSTOMER_ID else read_texts(self.rules.features[name], texts)
        return columns

    def _rows(self, lines: Iterable[str], line: int) -> Iterator[Row]:
        """Return the rows that are not empty, each with the number of the line on which it begins."""
        for number, row in strict_rows(lines, self.separator, self.part.name, line):
            if row and len(row) != self.width:
                rule = f"must have {self.width} fields, as the header has, not {len(row)}"
                raise ContractError(self.part.name, [Problem(rule, row=number)])
            if row:
                yield number, row

    def _from_rows(self, rows: list[Row]) -> Piece:
        columns = self._columns([row for _, row in rows])
        cells = {name: self.rules.features[name].from_objects(values) for name, values in columns.items() if name != CUSTOMER_ID}
        ids, doubtful = read_ids(columns[CUSTOMER_ID]) if CUSTOMER_ID in columns else (None, None)
        named = None if ids is None else from_texts(ids)
        table = Table(len(rows), cells, lambda row: {n: values[row] for n, values in columns.items()}, "rows", doubtful=doubtful)
        return Piece(table, named, lambda row: rows[row][0])


@dataclass(frozen=True)
class _Lines:
    """The rows of a chunk as they were written; only asked about those that are doubtful."""

    reader: _Reader
    chunk: Chunk

    @cached_property
    def _rows(self) -> list[tuple[int, bytes]]:
        return self.chunk.rows()

    def number(self, row: int) -> int:
        return self._rows[row][0]

    def record(self, row: int) -> dict[str, Any]:
        number, text = self._rows[row]
        ((_, cells),) = strict_rows([text.decode()], self.reader.separator, self.reader.part.name, number)
        return self.reader.record(cells)
