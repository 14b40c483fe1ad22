"""Lists of outcomes or contacts as CSV: turned into the items that the route reads from JSON."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from churn.customers.csv_header import first_named, header_problem, lines_below, separator_of
from churn.data.csv_chunks import csv_rule
from service.formats.csv_rows import bounded_lines, decoded, named_fields, without_nameless
from service.formats.json_text import refuse
from service.http.errors import TooLarge

FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def csv_items(
    body: bytes, name: str, fields: Collection[str], flags: Collection[str], max_rows: int
) -> Iterator[dict[str, str | bool]]:
    """Yield the items of a list in CSV (RFC 4180) as JSON has them; an empty cell is an absent field.

    Parameters
    ----------
    body : bytes
        UTF-8, with or without a byte order mark. The first line names the fields, in any order.
    name : str
        Of the list.
    fields : collection of str
        The names that may be in the header.
    flags : collection of str
        Those of them that are true or false; also spelled yes and no, or 1 and 0.
    max_rows : int

    Yields
    ------
    dict

    Raises
    ------
    Unprocessable
        If it is no CSV, has other columns or no row. What a field may hold is the route's to judge.
    TooLarge
        If it has more rows.
    """
    text = decoded(body)
    separator = separator_of(bounded_lines(text))
    lines = csv.reader(bounded_lines(text, separator), delimiter=separator, strict=True)
    rows = 0
    try:
        header = [one.strip() for one in first_named(lines)]
        named = named_fields(header)
        below = lines_below(lines)
        _check(header[:named], below[-1] if below else [], fields)
        for row in filter(None, chain(below, lines)):
            if rows >= max_rows:
                raise TooLarge(f"At most {max_rows} {name} in one request.")
            if len(row) != len(header):
                refuse(f"{name}.{rows}", f"must have {len(header)} fields, as the header has, not {len(row)}")
            kept = without_nameless(row, named, f"{name}.{rows}")
            if [cell.strip() for cell in kept] == header[:named]:
                # (As where files are put one below the other: else a customer would be called `customer_id`.)
                refuse(f"{name}.{rows}", "is the header once more; leave it out")
            yield dict(_pairs(header[:named], kept, flags, f"{name}.{rows}"))
            rows += 1
    except csv.Error as error:
        refuse(f"line {lines.line_num}", f"must be CSV: {csv_rule(error)}")
    if not rows:
        refuse(name, "must have at least 1 item, not 0")


def _check(header: list[str], below: Sequence[str], fields: Collection[str]) -> None:
    if problem := header_problem(header, below):
        refuse("header", problem)
    if len(set(header)) < len(header):
        refuse("header", "names a column twice")
    if "" in header:
        refuse("header", f"has a column without a name; known are {', '.join(fields)}")
    if unknown := [one[:100] for one in header if one not in fields]:
        refuse("header", f"has {unknown[0]!r}; known are {', '.join(fields)}")


def _pairs(header: list[str], row: list[str], flags: Collection[str], where: str) -> Iterator[tuple[str, str | bool]]:
    for field, given in zip(header, row, strict=True):
        if not (cell := given.strip()):
            continue
        if field not in flags:
            yield field, cell
        elif (flag := FLAGS.get(cell.lower())) is None:
            refuse(f"{where}.{field}", "must be true or false")
        else:
            yield field, flag
