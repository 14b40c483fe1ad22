"""Read some row groups of a Parquet file in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn.batch import pieces
from churn.batch.pieces import Piece, Reading, ReadPiece, find
from churn.batch.plan import Part, Terms
from churn.batch.readers.id_column import read_id_column
from churn.customers.arrow_buffers import repeated_text
from churn.customers.bounded_texts import bounded_texts
from churn.customers.cell_rule import MAX_TEXT_LENGTH
from churn.customers.cells import Cells, json_value
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.customer_id import MAX_ID_LENGTH, read_id
from churn.customers.from_arrow import is_plain, is_text, read_cells
from churn.customers.from_csv import read_texts
from churn.customers.validation import CustomerRules, Table
from churn.data.headers import id_name_of
from churn.errors import ContractError, Problem

# Pages are read as they are needed; without a buffer, a row group's columns would be in memory whole.
BUFFER_BYTES = 2**20
# Of one column of a piece.
MAX_TEXT_BYTES = 512 * 2**20
_BYTES_OF_AN_ID = 6


@contextmanager
def open_parquet(part: Part, rules: CustomerRules, terms: Terms) -> Iterator[Reading]:
    """Open some row groups of a Parquet file.

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
    contract = rules.contract
    with pq.ParquetFile(part.path) as file:
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
        compact = _compact(file.metadata)
    named = {id_name_of(contract), "customer_id", "Customer ID", *(c.source for c in contract.columns if c.role == "id")}
    # Texts stay as a dictionary and its indices, but for those that are all different.
    repeated = [name for name in texts if name not in named or name in compact]
    with pq.ParquetFile(part.path, read_dictionary=repeated, buffer_size=BUFFER_BYTES) as file:
        yield _read(part, file, rules, terms)


def _compact(metadata: Any) -> set[str]:
    """Return the columns with fewer bytes a row than different ids need: their values repeat, however long they are."""
    sizes: dict[str, tuple[int, int]] = {}
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for place in range(rows.num_columns):
            chunk = rows.column(place)
            size, count = sizes.get(chunk.path_in_schema, (0, 0))
            sizes[chunk.path_in_schema] = size + chunk.total_uncompressed_size, count + rows.num_rows
    return {name for name, (size, count) in sizes.items() if size < _BYTES_OF_AN_ID * count}


def _read(part: Part, file: Any, rules: CustomerRules, terms: Terms) -> Reading:
    schema = file.schema_arrow
    found = find(part, schema.names, rules, terms)
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

    def fetched() -> Iterator[ReadPiece]:
        before, (start, end) = part.first_row, part.groups or (0, 0)
        if start == end:
            return
        columns = list(inside.values())
        for batch in file.iter_batches(pieces.PIECE_ROWS, row_groups=range(start, end), columns=columns, use_threads=False):
            yield partial(_piece, batch, inside, constant, rules, before)
            before += batch.num_rows

    return Reading(id_type, fetched())


def _piece(batch: Any, inside: dict[str, str], constant: dict[str, _Constant], rules: CustomerRules, before: int) -> Piece:
    rows = batch.num_rows
    columns = {name: _bounded(name, batch.column(spelled)) for name, spelled in inside.items()}
    ids, doubtful = None, None
    if CUSTOMER_ID in columns:
        ids, doubtful = read_id_column(columns[CUSTOMER_ID])
    elif CUSTOMER_ID in constant:
        named = constant[CUSTOMER_ID].value
        ids = pa.nulls(rows, pa.string()) if named is None else repeated_text(named, rows)
    cells = {n: read_cells(pa.chunked_array([c]), rules.features[n]) for n, c in columns.items() if n != CUSTOMER_ID}
    cells |= {name: one.cells(rows) for name, one in constant.items() if name != CUSTOMER_ID}

    def record(row: int) -> dict[str, Any]:
        values = {name: json_value(column[row].as_py()) for name, column in columns.items()}
        return values | {name: one.value for name, one in constant.items()}

    return Piece(Table(rows, cells, record, "rows", doubtful=doubtful), ids, lambda row: before + row + 1)


def _bounded(name: str, column: Any) -> Any:
    longest = MAX_ID_LENGTH if name == CUSTOMER_ID else MAX_TEXT_LENGTH
    return bounded_texts(pa.chunked_array([column]), MAX_TEXT_BYTES, longest).chunk(0)


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
