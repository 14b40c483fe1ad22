"""A part of the input, piece by piece: never more of it in memory than some ten thousand rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn.batch.plan import Part, Terms
from churn.customers.cells import MAX_ID_LENGTH, Cells, Doubt, doubtful_ids
from churn.customers.from_arrow import is_plain, is_text, read_cells, spell_value
from churn.customers.from_csv import read_texts
from churn.customers.validation import CUSTOMER_ID, CustomerRules, Table
from churn.data.files import check_separator, open_text
from churn.data.headers import find_columns, id_name_of
from churn.errors import ContractError, Problem

PIECE_ROWS = 65_536
# Pages are read as they are needed; without a buffer, a row group's columns would be in memory whole.
BUFFER_BYTES = 2**20
_LAST_CONTROL, _DELETE = 0x1F, 0x7F


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
    if repeated := next((name for place, name in enumerate(names) if name in names[:place]), None):
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
        if not is_plain(kind) or (name == CUSTOMER_ID and not (_is_textual(kind) or pa.types.is_integer(kind))):
            wanted = "texts or whole numbers" if name == CUSTOMER_ID else "numbers, booleans or texts"
            raise ContractError(part.name, [Problem(f"must be {wanted}, not {kind}", column=name)])
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
            ids, doubtful = _read_ids(pa.repeat(pa.scalar(constant[CUSTOMER_ID].value, pa.string()), rows))
        cells = {n: read_cells(pa.chunked_array([c]), rules.features[n]) for n, c in columns.items() if n != CUSTOMER_ID}
        cells |= {name: one.cells(rows) for name, one in constant.items() if name != CUSTOMER_ID}

        def record(row: int) -> dict[str, Any]:
            said = {name: spell_value(column[row].as_py(), rules.features.get(name)) for name, column in columns.items()}
            said |= {name: one.value for name, one in constant.items()}
            if ids is not None and pa.types.is_integer(ids.type):
                del said[CUSTOMER_ID]  # a number names a customer as well as a text does
            return said

        return Piece(Table(rows, cells, record, "rows", doubtful=doubtful), ids, lambda row: before + row + 1)

    return Reading(id_type, pieces())


class _Constant:
    """A column that a folder's name holds: the same for all rows."""

    def __init__(self, name: str, text: str | None, rules: CustomerRules) -> None:
        self.value: Any = text
        if name != CUSTOMER_ID:
            feature = rules.features[name]
            self.value = read_texts(feature.column, [text or ""])[0]
            self._cells = feature.from_objects([self.value])

    def cells(self, rows: int) -> Cells:
        doubtful = self._cells.doubtful
        return Cells(np.repeat(self._cells.values, rows), None if doubtful is None else np.repeat(doubtful, rows))


def _is_textual(kind: Any) -> bool:
    return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _read_ids(column: Any) -> tuple[Any, Doubt | None]:
    """Give ids as texts (or as the whole numbers that they are), and where they are not certainly right."""
    if pa.types.is_integer(column.type):
        return column, None
    ids = column.cast(pa.string())
    if _all_right(ids):
        return ids, None
    return ids, doubtful_ids(ids.to_pylist())


def _all_right(ids: Any) -> bool:
    """Tell, by a look at their bytes, whether all texts are of an allowed length and without control characters."""
    _, offsets, data = ids.buffers()
    if data is None or not len(ids):
        return bool(ids.null_count == len(ids))
    places = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    lengths = np.diff(places)
    if lengths.max() > MAX_ID_LENGTH or (lengths == 0).sum() > ids.null_count:
        return False
    read = np.frombuffer(data, np.uint8)[places[0] : places[-1]]
    return not bool((read <= _LAST_CONTROL).any() or (read == _DELETE).any())


def _read_csv(part: Part, lines: Any, rules: CustomerRules, terms: Terms) -> Reading:
    header = [name.strip() for name in next(filter(None, lines), [])]
    check_separator(part.name, header)
    found = _find(part, header, rules, terms)
    places = {name: header.index(spelled) for name, spelled in found.items()}

    def rows() -> Iterator[tuple[int, list[str]]]:
        line = lines.line_num + 1
        for row in lines:
            if row:
                if len(row) != len(header):
                    rule = f"must have {len(header)} fields, as the header has, not {len(row)}"
                    raise ContractError(part.name, [Problem(rule, row=line)])
                yield line, row
            line = lines.line_num + 1

    def pieces() -> Iterator[Piece]:
        waiting = rows()
        while chunk := list(islice(waiting, PIECE_ROWS)):
            yield _piece(chunk)

    def _piece(chunk: list[tuple[int, list[str]]]) -> Piece:
        columns: dict[str, Sequence[Any]] = {}
        for name, place in places.items():
            texts = [row[place] for _, row in chunk]
            is_id = name == CUSTOMER_ID
            columns[name] = [text or None for text in texts] if is_id else read_texts(rules.features[name].column, texts)
        cells = {name: rules.features[name].from_objects(values) for name, values in columns.items() if name != CUSTOMER_ID}
        ids = columns.get(CUSTOMER_ID)
        table = Table(len(chunk), cells, lambda row: {name: values[row] for name, values in columns.items()}, "rows", ids)
        return Piece(table, None if ids is None else pa.array(ids, pa.string()), lambda row: chunk[row][0])

    return Reading(pa.string() if CUSTOMER_ID in places else None, pieces())
