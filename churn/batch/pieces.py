"""What every reader gives: a part in pieces, of which never more than a few are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from churn.batch.plan import Part, Terms
from churn.customers.column_names import CUSTOMER_ID, first_repeated
from churn.customers.validation import CustomerRules, Table
from churn.data.headers import find_columns, id_name_of
from churn.errors import ContractError, Problem

# Rows of a piece: enough that calls for each piece cost little, and few enough that a piece stays near the processor.
PIECE_ROWS = 65_536


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


# Reads a piece: the work of a thread of its own.
ReadPiece = Callable[[], Piece]


@dataclass(frozen=True)
class Reading:
    """An open part.

    Attributes
    ----------
    id_type : pyarrow.DataType or None
        Of its ids; None: it has none.
    pieces : iterator of callable
        Fetches the pieces one after the other; what each gives may be called by any thread.
    """

    id_type: Any
    pieces: Iterator[ReadPiece]


def find(part: Part, names: Sequence[str], rules: CustomerRules, terms: Terms) -> dict[str, str]:
    """Give the part's own spelling of each feature, and of the id, that is there.

    Parameters
    ----------
    part : Part
    names : sequence of str
        The columns of its file.
    rules : CustomerRules
    terms : Terms

    Returns
    -------
    dict of str to str

    Raises
    ------
    ContractError
        If a column is missing, or there twice.
    """
    if repeated := first_repeated(names):
        raise ContractError(part.name, [Problem("the file has two columns of this name", column=repeated)])
    needed = () if terms.allow_absent else tuple(rules.features)
    found = find_columns(part.name, [*names, *(key for key in part.keys if key not in names)], rules.contract, needed)
    id_name = id_name_of(rules.contract)
    wanted = {name: found[name] for name in rules.features if name in found}
    if not wanted:
        raise ContractError(part.name, [Problem("has none of the contract's features")])
    return wanted | ({CUSTOMER_ID: found[id_name]} if id_name in found else {})
