from __future__ import annotations

import pytest

from service.formats.csv_reported import csv_items
from service.http.errors import TooLarge, Unprocessable

FIELDS, FLAGS = ("customer_id", "churned", "observed_at"), ("churned",)


def read(text: str | bytes, max_rows: int = 10) -> list[dict[str, object]]:
    body = text.encode() if isinstance(text, str) else text
    return [dict(item) for item in csv_items(body, "outcomes", FIELDS, FLAGS, max_rows)]


def refused(text: str | bytes) -> tuple[str, str]:
    with pytest.raises(Unprocessable) as caught:
        read(text)
    return caught.value.errors[0].field, caught.value.errors[0].problem


def test_a_line_is_an_object_and_an_empty_cell_an_absent_field() -> None:
    text = 'observed_at, customer_id ,churned\r\n2026-03-01, c1 ,true\r\n\r\n,"c,""2",\r\n'
    assert read(text) == [{"observed_at": "2026-03-01", "customer_id": "c1", "churned": True}, {"customer_id": 'c,"2'}]
    assert read("\ufeffcustomer_id\nc1\n".encode()) == [{"customer_id": "c1"}]
    assert read("\ufeffchurned;customer_id\nyes;c,1\n".encode()) == [{"churned": True, "customer_id": "c,1"}]
    assert read("customer_id,churned,,\nc1,yes,, \n") == [{"customer_id": "c1", "churned": True}]
    assert read("\ufeffsep=;\r\nchurned;customer_id\r\nyes;c,1\r\n".encode()) == [{"churned": True, "customer_id": "c,1"}]


@pytest.mark.parametrize(
    ("cell", "flag"), [("true", True), ("YES", True), ("1", True), ("False", False), ("no", False), ("0", False)]
)
def test_a_flag_is_spelled_in_three_ways(cell: str, flag: bool) -> None:
    assert read(f"churned\n{cell}\n") == [{"churned": flag}]
    assert read(f"customer_id\n{cell}\n") == [{"customer_id": cell}]


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("customer_id,churned\n", "outcomes", "must have at least 1 item"),
        (b"customer_id\n\xff\n", "body", "must be UTF-8, and some letters of line 2 are not"),
        (
            "Outcomes of June, all\ncustomer_id,churned,observed_at,x,y\n",
            "header",
            "the first line ('Outcomes of June', 'all') is a title",
        ),
        ("customer_id;churned|observed_at\nc;1|\n", "header", "separated by semicolons"),
        ("churned,,customer_id\n1,,c\n", "header", "has a column without a name"),
        ("churned,\n1,x\n", "outcomes.0", "has a value in a column without a name"),
        ("churned,churned\n1,1\n", "header", "names a column twice"),
        ("churned,other\n1,1\n", "header", "has 'other'; known are customer_id, churned, observed_at"),
        ("churned\nmaybe\n", "outcomes.0.churned", "must be true or false"),
        ("churned,customer_id\n1,c\n1\n", "outcomes.1", "must have 2 fields, as the header has, not 1"),
        ("churned,customer_id\n1,c,d\n", "outcomes.0", "must have 2 fields, as the header has, not 3"),
        ("customer_id\nc1\ncustomer_id\n", "outcomes.1", "is the header once more"),
        ("customer_id,churned,,\nc1,yes,, \n customer_id ,churned,,\n", "outcomes.1", "is the header once more"),
        ('customer_id\n"open\n', "line 2", "must be CSV: a quote is opened and not closed"),
        ('customer_id\n"a"b\n', "line 2", "must be CSV: "),
    ],
)
def test_what_is_wrong_is_named_by_its_place(text: str | bytes, field: str, problem: str) -> None:
    found = refused(text)
    assert found[0] == field
    assert found[1].startswith(problem)


def test_so_many_rows_at_most() -> None:
    rows = "customer_id\n" + "c\n" * 3
    assert len(read(rows, 3)) == 3
    with pytest.raises(TooLarge, match="At most 2 outcomes in one request"):
        read(rows, 2)


def test_a_long_unknown_name_is_cut() -> None:
    assert len(refused(f"{'x' * 500},churned\n1,1\n")[1]) < 200
