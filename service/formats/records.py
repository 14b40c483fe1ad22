"""Customers as JSON writes tables: a list of objects, a list of rows, or an object of columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any, TypeVar

from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from churn.customers.validation import Table
from service.formats.json_text import refuse
from service.formats.validation import MAX_NAMED_COLUMNS, ColumnRules
from service.http.errors import TooLarge

# Customers who are read at once: what is made of them in between takes several times what is kept.
PART_ROWS = 5_000
T = TypeVar("T")


def batched(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield rows in parts of 5,000."""
    left = iter(rows)
    while part := list(islice(left, PART_ROWS)):
        yield part


def check_rows(rows: int, max_rows: int) -> None:
    """Raise an error if there are too many rows, or none.

    Parameters
    ----------
    rows : int
    max_rows : int
        At most so many customers, at least 1.

    Raises
    ------
    TooLarge
        If there are more than `max_rows`.
    Unprocessable
        If there are none.
    """
    if rows > max_rows:
        raise TooLarge(f"At most {max_rows} customers in one request.")
    if rows == 0:
        refuse("body", "at least one customer is needed")


def from_records(records: Any, rules: ColumnRules, where: str, max_rows: int) -> CustomerColumns:
    """Read a list of objects, one per customer; a field that is absent is missing.

    Parameters
    ----------
    records : object
        The decoded JSON.
    rules : ColumnRules
    where : str
        What errors call the rows.
    max_rows : int
        At most so many customers, at least 1.

    Returns
    -------
    CustomerColumns
        One row per customer, in the order of the body.

    Raises
    ------
    TooLarge, Unprocessable
    """
    if type(records) is not list:
        refuse(where, "must be a list")
    check_rows(len(records), max_rows)
    foreign: set[str] = set()
    customers = rules.validate_tables(_from_part(part, rules, where, foreign) for part in batched(records))
    if rules.ignore_unknown:
        rules.warn_ignored(sorted(foreign)[:MAX_NAMED_COLUMNS], len(foreign))
    return customers


def _from_part(records: list[Any], rules: ColumnRules, where: str, foreign: set[str]) -> Table:
    """Read some of the objects; add the names that nobody knows to `foreign`."""
    columns = _by_column(records, rules)
    if columns is not None:
        return rules.table_of(columns, len(records), where, record=records.__getitem__)
    # Some row is no object, or has names of its own: the source's, or unknown ones, or the same one twice.
    renamed = [rules.by_contract_names(row) for row in records]
    if rules.ignore_unknown:
        foreign.update(name for row in records if type(row) is dict for name in row if rules.names.find(name) is None)
    nothing: dict[str, Any] = {}  # one for all of them
    plain = [row if type(row) is dict and row.keys() <= rules.names.read else nothing for row in renamed]
    doubtful = [row is not before for row, before in zip(plain, renamed, strict=True)]
    columns = {name: [row.get(name) for row in plain] for name in (*rules.features, CUSTOMER_ID)}
    return rules.table_of(columns, len(records), where, record=renamed.__getitem__, doubtful=doubtful)


def _by_column(records: list[Any], rules: ColumnRules) -> dict[str, Sequence[Any]] | None:
    """Turn rows into columns; None if a row is no object or has a name that is not the contract's."""
    if set(map(type, records)) != {dict}:
        return None
    known = rules.names.read
    names = list(records[0])
    if len(names) > 1 and known.issuperset(names) and set(map(len, records)) == {len(names)}:
        try:
            # All have as many fields as the first; that they are the same ones shows when each is taken.
            return dict(zip(names, zip(*map(itemgetter(*names), records), strict=True), strict=True))
        except KeyError:
            pass
    found = set().union(*records)
    if not found <= known:
        return None
    return {name: [row.get(name) for row in records] for name in (*rules.features, CUSTOMER_ID) if name in found}


def from_rows(rows: Any, names: Sequence[Any], rules: ColumnRules, where: str, max_rows: int) -> CustomerColumns:
    """Read a list of rows, each a list with one value per name.

    Parameters
    ----------
    rows : object
        The decoded JSON.
    names : sequence
        The columns, as they were sent.
    rules : ColumnRules
    where : str
        What errors call the rows.
    max_rows : int
        At most so many customers, at least 1.

    Returns
    -------
    CustomerColumns
        One row per customer, in the order of the body.

    Raises
    ------
    TooLarge, Unprocessable
    """
    if type(rows) is not list:
        refuse(where, "must be a list")
    check_rows(len(rows), max_rows)
    found = rules.columns_of(names, where)
    width = len(names)
    places = {given: place for place, given in enumerate(names) if isinstance(given, str) and rules.names.find(given)}

    def table(part: list[Any], start: int) -> Table:
        if set(map(type, part)) != {list} or set(map(len, part)) != {width}:
            wrong = next(place for place, row in enumerate(part) if type(row) is not list or len(row) != width)
            refuse(f"{where}.{start + wrong}", f"a list of {width} values is expected, one a column")
        # Strides through one list: half the time of zip(*rows).
        flat = list(chain.from_iterable(part))
        return rules.table_of({name: flat[places[given] :: width] for name, given in found.items()}, len(part), where)

    return rules.validate_tables(table(part, number * PART_ROWS) for number, part in enumerate(batched(rows)))


def from_columns(columns: Mapping[str, Any], rules: ColumnRules, where: str, max_rows: int) -> CustomerColumns:
    """Read an object of columns, each a list of values.

    Parameters
    ----------
    columns : mapping of str to object
        The decoded JSON, by the names that were sent.
    rules : ColumnRules
    where : str
        What errors call the rows.
    max_rows : int
        At most so many customers, at least 1.

    Returns
    -------
    CustomerColumns
        One row per customer, in the order of the body.

    Raises
    ------
    TooLarge, Unprocessable
    """
    found = rules.columns_of(list(columns), where)
    for name, values in columns.items():
        if type(values) is not list:
            refuse(f"{where}.{name}", "must be a list")
    lengths = set(map(len, columns.values()))
    if len(lengths) > 1:
        refuse(where, "all columns need the same number of values")
    rows = lengths.pop() if lengths else 0
    check_rows(rows, max_rows)
    return rules.validate_tables(
        rules.table_of({name: columns[given][start : start + PART_ROWS] for name, given in found.items()}, end - start, where)
        for start, end in ((start, min(start + PART_ROWS, rows)) for start in range(0, rows, PART_ROWS))
    )
