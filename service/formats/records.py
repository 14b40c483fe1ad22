"""Customers as JSON writes tables: a list of objects, a list of rows, or an object of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from service.formats.json_text import refuse
from service.formats.validation import MAX_NAMED_COLUMNS, ColumnRules
from service.http.errors import TooLarge


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
        refuse(where, "Input should be a valid list")
    check_rows(len(records), max_rows)
    columns = _by_column(records, rules)
    if columns is not None:
        return rules.validate_objects(columns, len(records), where, record=records.__getitem__)
    # Some row is no object, or has names of its own: the source's, or unknown ones, or the same one twice.
    renamed = [rules.by_contract_names(row) for row in records]
    if rules.ignore_unknown:
        names = {name for row in records if type(row) is dict for name in row}
        foreign = [name for name in names if rules.names.find(name) is None]
        rules.warn_ignored(sorted(foreign[:MAX_NAMED_COLUMNS]), len(foreign))
    nothing: dict[str, Any] = {}  # one for all of them
    plain = [row if type(row) is dict and row.keys() <= rules.names.read else nothing for row in renamed]
    doubtful = [row is not before for row, before in zip(plain, renamed, strict=True)]
    columns = {name: [row.get(name) for row in plain] for name in (*rules.features, CUSTOMER_ID)}
    return rules.validate_objects(columns, len(records), where, record=renamed.__getitem__, doubtful=doubtful)


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
        refuse(where, "Input should be a valid list")
    check_rows(len(rows), max_rows)
    found = rules.columns_of(names, where)
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {len(names)}:
        wrong = next(place for place, row in enumerate(rows) if type(row) is not list or len(row) != len(names))
        refuse(f"{where}.{wrong}", f"a list of {len(names)} values is expected, one a column")
    # Strides through one list: half the time of zip(*rows).
    flat, width = list(chain.from_iterable(rows)), len(names)
    places = {given: place for place, given in enumerate(names) if isinstance(given, str) and rules.names.find(given)}
    columns = {name: flat[places[given] :: width] for name, given in found.items()}
    return rules.validate_objects(columns, len(rows), where)


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
            refuse(f"{where}.{name}", "Input should be a valid list")
    lengths = set(map(len, columns.values()))
    if len(lengths) > 1:
        refuse(where, "all columns need the same number of values")
    rows = lengths.pop() if lengths else 0
    check_rows(rows, max_rows)
    return rules.validate_objects({name: columns[given] for name, given in found.items()}, rows, where)
