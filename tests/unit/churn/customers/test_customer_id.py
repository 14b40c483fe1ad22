from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from churn.customers.customer_id import id_schema, is_plain_id, read_id, read_ids


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("c-1", "c-1"),
        (" c-1 ", "c-1"),
        (415, "415"),
        (415.0, "415"),
        ("415.0", "415"),
        ("007", "007"),
        (2**63, str(2**63)),
        ("NA", None),
        *((text, None) for text in ("N/A", "#N/A", "-", "--", "?", "n.a.", "<NA>", r"\N")),
        *((text, text) for text in ("1E5", "12E+05", "E+1", "1E+5", "#1", "#ab!", "-1", "a-", "+491701234567")),
        *((text, text) for text in ("Total-1", "total7", "Summer", "a total", "Sumi")),
        (Decimal(415), "415"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), None),
    ],
)
def test_an_id_is_stored_as_its_text(cell: Any, stored: str | None) -> None:
    assert read_id(cell) == stored
    assert read_ids([cell, "other"]) == ([stored, "other"], None)


@pytest.mark.parametrize(
    "cell",
    [
        True,
        1.5,
        [],
        b"x",
        2**64,
        1e16,
        "a\nb",
        "\x7f",
        "x" * 129,
        "\ud800",
        float("inf"),
        *("1.23457E+12", "1,23457E+12", "8e+15", "-1E+10", " 1E+100 "),
        *("Total", "TOTAL:", " Grand Total ", "Sub-Total", "Summe", "sum"),
        *("#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#BEZUG!", "#¡REF!"),
        *map(Decimal, ("1.5", "Infinity", "-Infinity", "1E+400")),
    ],
)
def test_what_names_nobody_is_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match=r"must|too large|spreadsheet|line of sums"):
        read_id(cell)
    doubtful = read_ids(["a", cell])[1]
    assert doubtful is not None
    assert doubtful.tolist() == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "c-1",
        "customer 7",
        "a|b",
        "é",
        "x" * 128,
        "1.5",
        "1E+12",
        "#REF!",
        "Total",
        "totals",
        "gesamtsumme",
        "total::::::::::::",
        "-",
        "n/a",
        " a",
        "a ",
        "415.0",
        "NA",
        "",
        "a\tb",
        "x" * 129,
    ],
)
def test_what_is_plain_is_stored_as_it_is(text: str) -> None:
    if is_plain_id(text):
        assert read_id(text) == text


@pytest.mark.parametrize("text", ["", "\n", " a\n", "\t \na b", "a", "a\nb", "a\tb", "\x00", "a\x7f", "\x01a"])
def test_the_schema_takes_the_texts_that_are_taken(text: str) -> None:
    schema = id_schema()["anyOf"][0]
    try:
        read_id(text)
    except ValueError:
        assert not re.search(schema["pattern"], text)
    else:
        assert re.search(schema["pattern"], text)


@pytest.mark.parametrize("nullable", [True, False])
def test_the_schema_says_which_ids_there_are(nullable: bool) -> None:
    text, whole, *none = id_schema("^x$", nullable=nullable)["anyOf"]
    assert (text["type"], text["maxLength"], text["pattern"]) == ("string", 128, "^x$")
    assert whole == {"type": "integer", "minimum": -(2**63), "maximum": 2**64 - 1}
    assert none == ([{"type": "null"}] if nullable else [])
