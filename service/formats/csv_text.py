"""Read customers from CSV: the header names the contract's columns, in any order, as the contract or the source does."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from churn.customers.column_names import CUSTOMER_ID
from churn.customers.columns import CustomerColumns
from churn.customers.csv_header import first_named, header_problem, lines_below, separator_of
from churn.customers.from_csv import read_texts
from churn.customers.validation import Table
from churn.data.csv_chunks import MAX_COLUMNS, csv_rule
from service.formats.csv_rows import bounded_lines, decoded, named_fields, without_nameless
from service.formats.json_text import refuse
from service.formats.records import batched, check_rows
from service.formats.validation import ColumnRules


def read_csv(body: bytes | memoryview, rules: ColumnRules, max_rows: int) -> CustomerColumns:
    """Read a CSV body (RFC 4180) whose first line is the header.

    Parameters
    ----------
    body : bytes or memoryview
        UTF-8, with or without a byte order mark; commas (or what `separator_of` finds) and double quotes.
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
    text = decoded(body)
    separator = separator_of(bounded_lines(text))
    _check_columns(_fields_of_first_line(text, separator))
    lines = csv.reader(bounded_lines(text, separator), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in first_named(lines)]
        _check_columns(len(header))  # (the first line may be a note for Excel)
        below = lines_below(lines)
        if problem := header_problem(header, below[-1] if below else []):
            refuse("header", problem)
        named = len(header) if rules.ignore_unknown else named_fields(header)
        read = {name: header.index(given) for name, given in rules.columns_of(header[:named], "header").items()}
        if not below:
            check_rows(0, max_rows)
        rows = _rows(chain(below, lines), max_rows, len(header), named, tuple(read.values()))
        return rules.validate_tables(_table(part, tuple(read), rules) for part in batched(rows))
    except csv.Error as error:
        refuse(f"line {lines.line_num}", f"must be CSV: {csv_rule(error)}")


def _table(rows: Sequence[Sequence[str]], names: Sequence[str], rules: ColumnRules) -> Table:
    columns: dict[str, Sequence[Any]] = {
        name: texts if name == CUSTOMER_ID else read_texts(rules.features[name], texts)
        for name, texts in zip(names, zip(*rows, strict=True), strict=True)
    }
    return rules.table_of(columns, len(rows), "rows")


def _check_columns(fields: int) -> None:
    if fields > MAX_COLUMNS:
        refuse("header", f"has {fields} columns; {MAX_COLUMNS} are the most")


def _fields_of_first_line(text: str, separator: str) -> int:
    """Count the fields of the first line, before a text is made of each; a separator within quotes is counted too."""
    ends = [end for end in (text.find("\n"), text.find("\r")) if end >= 0]
    return 1 + text.count(separator, 0, min(ends, default=len(text)))


def _rows(lines: Iterable[list[str]], max_rows: int, fields: int, named: int, read: Sequence[int]) -> Iterator[Sequence[str]]:
    """Yield the fields that are read of each row."""
    rows = 0
    for row in lines:
        # An empty line, as many files end with one, is no row.
        if not row:
            continue
        if len(row) != fields:
            refuse(f"rows.{rows}", f"must have {fields} fields, as the header has, not {len(row)}")
        if named < fields:
            without_nameless(row, named, f"rows.{rows}")
        rows += 1
        check_rows(rows, max_rows)
        yield [row[place] for place in read]
