"""Read customers from CSV: the header names the contract's columns, in any order, as the contract or the source does."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import chain
from typing import Any

from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from churn.customers.csv_header import header_problem
from churn.customers.from_csv import read_texts
from service.formats.json_text import refuse
from service.formats.records import check_rows
from service.formats.validation import ColumnRules

# No contract has so many.
MAX_COLUMNS = 10_000


def read_csv(body: bytes | memoryview, rules: ColumnRules, max_rows: int) -> CustomerColumns:
    """Read a CSV body (RFC 4180) whose first line is the header.

    Parameters
    ----------
    body : bytes or memoryview
        UTF-8, with or without a byte order mark; commas and double quotes.
    rules : ColumnRules
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
    try:
        text = bytes(body).decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse("body", "must be UTF-8")
    if "\0" in text:
        refuse("body", "must not contain NUL characters")
    if (fields := _fields_of_first_line(text)) > MAX_COLUMNS:
        refuse("header", f"has {fields} columns; {MAX_COLUMNS} are the most")
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(lines, [])]
        first = next(filter(None, lines), [])
        if problem := header_problem(header, first):
            refuse("header", problem)
        found = rules.columns_of(header, "header")
        rows = _rows(chain([first], lines), max_rows, len(header))
    except csv.Error as error:
        refuse(f"line {lines.line_num}", f"must be CSV: {error}")
    check_rows(len(rows), max_rows)
    if len(rows[-1]) != len(header):
        refuse(f"rows.{len(rows) - 1}", f"{len(header)} fields are expected, as the header has")
    by_name = dict(zip(header, zip(*rows, strict=True), strict=True))
    columns: dict[str, Sequence[Any]] = {
        name: by_name[given] if name == CUSTOMER_ID else read_texts(rules.features[name], by_name[given])
        for name, given in found.items()
    }
    return rules.validate_objects(columns, len(rows), "rows")


def _fields_of_first_line(text: str) -> int:
    """Count the fields of the first line, before a text is made of each; a comma within quotes is counted too."""
    ends = [end for end in (text.find("\n"), text.find("\r")) if end >= 0]
    return 1 + text.count(",", 0, min(ends, default=len(text)))


def _rows(lines: Iterator[list[str]], max_rows: int, fields: int) -> list[list[str]]:
    """Read rows up to the first that has more or fewer fields than there should be, which is then the last."""
    rows: list[list[str]] = []
    for row in lines:
        # An empty line, as many files end with one, is no row.
        if row:
            rows.append(row)
            if len(rows) > max_rows or len(row) != fields:
                break
    return rows
