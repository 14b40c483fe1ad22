"""A part of the input, piece by piece: never more of it in memory than some ten thousand rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn.batch.plan import Part, Terms
from churn.customers.cell_rule import MISSING_TEXTS
from churn.customers.cells import Cells, Doubt, json_value
from churn.customers.column_names import CUSTOMER_ID, first_repeated
from churn.customers.customer_id import MAX_ID_LENGTH, read_id, read_ids
from churn.customers.from_arrow import is_plain, is_text, read_cells
from churn.customers.from_csv import read_texts
from churn.customers.validation import CustomerRules, Table
from churn.data.files import check_header, open_text
from churn.data.headers import find_columns, id_name_of
from churn.errors import ContractError, Problem

PIECE_ROWS = 65_536
# Pages are read as they are needed; without a buffer, a row group's columns would be in memory whole.
BUFFER_BYTES = 2**20
_LAST_CONTROL, _DELETE = 0x1F, 0x7F
_BLANK, _POINT, _ZERO, _NINE = b" .09"
_LONGEST_MISSING = max(map(len, MISSING_TEXTS))


@dataclass(frozen=True)
class Piece:
    """Some rows that follow each other.

    Attributes
    ----------
    table : Table
    ids : pyarrow.Array or None
        Who they are, of `Reading.id_type`.
    number : callable
        Gives the number that people know a row by: its place in a Parquet file, from 1; its line in a CSV file.
    """

    table: Table
    ids: Any
    number: Callable[[int], int]


@dataclass(frozen=True)
class Reading:
    """An open part: the type of its ids (None: it has none), and its pieces."""

    id_type: Any
    pieces: Iterator[Piece]


@contextmanager
def open_part(part: Part, rules: CustomerRules, terms: Terms) -> Iterator[Reading]:
    """Open a part for reading.

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
    ContractError
        If a column is missing, there twice, or of a type that no customer's value has.
    pyarrow.ArrowException, csv.Error, OSError, ValueError
        If the file is not what it says it is; also while pieces are read.
    """
    path = Path(part.path)
    if part.groups is None:
        with open_text(path) as text:
            yield _read_csv(part, csv.reader(text, strict=True), rules, terms)
        return
    contract = rules.contract
    with pq.ParquetFile(path) as file:
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
    named = {id_name_of(contract), "customer_id", "Customer ID", *(c.source for c in contract.columns if c.role == "id")}
    # Texts stay as a dictionary and its indices, but for those that are all different.
    with pq.ParquetFile(path, read_dictionary=[name for name in texts if name not in named], buffer_size=BUFFER_BYTES) as file:
        yield _read_parquet(part, file, rules, terms)


def _find(part: Part, names: Sequence[str], rules: CustomerRules, terms: Terms) -> dict[str, str]:
    """Give the part's own spelling of each feature, and of the id, that is there."""
    if repeated := first_repeated(names):
        raise ContractError(part.name, [Problem("the file has two columns of this name", column=repeated)])
    needed = () if terms.allow_absent else tuple(rules.features)
    found = find_columns(part.name, [*names, *(key for key in part.keys if key not in names)], rules.contract, needed)
    id_name = id_name_of(rules.contract)
    wanted = {name: found[name] for name in rules.features if name in found}
    if not wanted:
        raise ContractError(part.name, [Problem("has none of the contract's features")])
    return wanted | ({CUSTOMER_ID: found[id_name]} if id_name in found else {})


def _read_parquet(part: Part, file: Any, rules: CustomerRules, terms: Terms) -> Reading:
    schema = file.schema_arrow
    found = _find(part, schema.names, rules, terms)
    inside = {name: spelled for name, spelled in found.items() if spelled in schema.names}
    for name, spelled in inside.items():
        kind = schema.field(spelled).type
        if not is_plain(kind):
            raise ContractError(part.name, [Problem(f"must be numbers, booleans or texts, not {kind}", column=name)])
    constant = {name: _Constant(name, part.keys[spelled], rules) for name, spelled in found.items() if name not in inside}
    id_type = None
    if CUSTOMER_ID in found:
        kind = schema.field(inside[CUSTOMER_ID]).type if CUSTOMER_ID in inside else pa.string()
        id_type = kind if pa.types.is_integer(kind) else pa.string()

    def pieces() -> Iterator[Piece]:
        before, (start, end) = part.first_row, part.groups or (0, 0)
        if start == end:
            return
        columns = list(inside.values())
        for batch in file.iter_batches(PIECE_ROWS, row_groups=range(start, end), columns=columns, use_threads=False):
            batch.validate(full=True)
            yield _piece({name: batch.column(spelled) for name, spelled in inside.items()}, batch.num_rows, before)
            before += batch.num_rows

    def _piece(columns: dict[str, Any], rows: int, before: int) -> Piece:
        ids, doubtful = None, None
        if CUSTOMER_ID in columns:
            ids, doubtful = _read_ids(columns[CUSTOMER_ID])
        elif CUSTOMER_ID in constant:
            ids = pa.repeat(pa.scalar(constant[CUSTOMER_ID].value, pa.string()), rows)
        cells = {n: read_cells(pa.chunked_array([c]), rules.features[n]) for n, c in columns.items() if n != CUSTOMER_ID}
        cells |= {name: one.cells(rows) for name, one in constant.items() if name != CUSTOMER_ID}

        def record(row: int) -> dict[str, Any]:
            values = {name: json_value(column[row].as_py()) for name, column in columns.items()}
            return values | {name: one.value for name, one in constant.items()}

        return Piece(Table(rows, cells, record, "rows", doubtful=doubtful), ids, lambda row: before + row + 1)

    return Reading(id_type, pieces())


class _Constant:
    """A column that a folder's name holds: the same for all rows."""

    def __init__(self, name: str, text: str | None, rules: CustomerRules) -> None:
        if name == CUSTOMER_ID:
            try:
                self.value: Any = read_id(text)
            except ValueError as error:
                raise ContractError(f"folder {name}={text}", [Problem(str(error), column=name)]) from error
        else:
            feature = rules.features[name]
            self.value = read_texts(feature, [text or ""])[0]
            self._cells = feature.from_objects([self.value])

    def cells(self, rows: int) -> Cells:
        doubtful = self._cells.doubtful
        return Cells(np.repeat(self._cells.values, rows), None if doubtful is None else np.repeat(doubtful, rows))


def _read_ids(column: Any) -> tuple[Any, Doubt | None]:
    """Return ids as texts, or as the integers that they are, and where they break a rule."""
    if pa.types.is_integer(column.type):
        return column, None
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if is_text(kind) and _all_plain(column := column.cast(pa.string())):
        return column, None
    ids, doubtful = read_ids([json_value(one) for one in column.to_pylist()])
    return pa.array(ids, pa.string()), doubtful


def _all_plain(ids: Any) -> bool:
    """Tell, by a look at their bytes, whether all texts are ids that are stored as they are (`customer_id.is_plain_id`)."""
    _, offsets, data = ids.buffers()
    if data is None or not len(ids):
        return bool(ids.null_count == len(ids))
    places = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    lengths = np.diff(places)
    if lengths.max() > MAX_ID_LENGTH or (lengths == 0).sum() > ids.null_count:
        return False
    read = np.frombuffer(data, np.uint8)
    within = read[places[0] : places[-1]]
    if (within <= _LAST_CONTROL).any() or (within == _DELETE).any():
        return False
    first, last = read[places[:-1][lengths > 0]], read[places[1:][lengths > 0] - 1]
    # Blanks at the ends, those beyond ASCII among them, and 415.0.
    ends = (first == _BLANK) | (last == _BLANK) | (first > _DELETE) | (last > _DELETE)
    if ends.any() or ((last == _ZERO) & (read[places[1:][lengths > 0] - 2] == _POINT)).any():
        return False
    # Short texts of letters may mean a missing value.
    return not bool(((lengths > 0) & (lengths <= _LONGEST_MISSING))[lengths > 0][first > _NINE].any())


def _read_csv(part: Part, lines: Any, rules: CustomerRules, terms: Terms) -> Reading:
    numbered = _numbered(lines)
    _, named = next(numbered, (1, []))
    header = [name.strip() for name in named]
    first = next(numbered, None)
    check_header(part.name, header, first[1] if first else [])
    found = _find(part, header, rules, terms)
    places = {name: header.index(given) for name, given in found.items()}

    def rows() -> Iterator[tuple[int, list[str]]]:
        for line, row in chain([first] if first else [], numbered):
            if len(row) != len(header):
                rule = f"must have {len(header)} fields, as the header has, not {len(row)}"
                raise ContractError(part.name, [Problem(rule, row=line)])
            yield line, row

    def pieces() -> Iterator[Piece]:
        waiting = rows()
        while chunk := list(islice(waiting, PIECE_ROWS)):
            yield _piece(chunk)

    def _piece(chunk: list[tuple[int, list[str]]]) -> Piece:
        columns: dict[str, Sequence[Any]] = {}
        for name, place in places.items():
            texts = [row[place] for _, row in chunk]
            columns[name] = texts if name == CUSTOMER_ID else read_texts(rules.features[name], texts)
        cells = {name: rules.features[name].from_objects(values) for name, values in columns.items() if name != CUSTOMER_ID}
        ids, doubtful = read_ids(columns[CUSTOMER_ID]) if CUSTOMER_ID in columns else (None, None)
        named = None if ids is None else pa.array(ids, pa.string())
        table = Table(len(chunk), cells, lambda row: {n: values[row] for n, values in columns.items()}, "rows", doubtful=doubtful)
        return Piece(table, named, lambda row: chunk[row][0])

    return Reading(pa.string() if CUSTOMER_ID in places else None, pieces())


def _numbered(lines: Any) -> Iterator[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with the line on which it begins."""
    line = lines.line_num + 1
    for row in lines:
        if row:
            yield line, row
        line = lines.line_num + 1
