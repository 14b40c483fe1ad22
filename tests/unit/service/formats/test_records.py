"""Customers as lists of objects, lists of rows, or an object of columns: one verdict, in parts, each row named by its place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from churn.customers.columns import CustomerColumns
from service.formats import records
from service.formats.records import batched, check_rows, from_columns, from_records, from_rows
from service.formats.validation import ColumnRules
from service.http.errors import TooLarge, Unprocessable

SENT = [{"total_day_minutes": float(n), "state": "OH", "customer_id": f"c{n}"} for n in range(5)]
NAMES = ["total_day_minutes", "state", "customer_id"]
Read = Callable[[list[dict[str, Any]], ColumnRules, int], CustomerColumns]


def as_rows(sent: list[dict[str, Any]], rules: ColumnRules, most: int) -> CustomerColumns:
    return from_rows([list(one.values()) for one in sent], list(sent[0]) if sent else NAMES, rules, "x", most)


def as_columns(sent: list[dict[str, Any]], rules: ColumnRules, most: int) -> CustomerColumns:
    return from_columns({name: [one[name] for one in sent] for name in (sent[0] if sent else NAMES)}, rules, "x", most)


WAYS: dict[str, Read] = {
    "records": lambda sent, rules, most: from_records(sent, rules, "x", most),
    "rows": as_rows,
    "columns": as_columns,
}
each_way = pytest.mark.parametrize("read", WAYS.values(), ids=list(WAYS))


@each_way
@pytest.mark.parametrize("part", [1, 2, 5, 6])
def test_the_rows_are_the_same_in_whatever_parts(
    read: Read, part: int, rules: ColumnRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PART_ROWS", part)
    found = read(SENT, rules, 5)
    assert found.values["total_day_minutes"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert list(found.customer_ids or ()) == ["c0", "c1", "c2", "c3", "c4"]
    wrong = [one | {"total_day_minutes": -1.0} if n in (1, 4) else one for n, one in enumerate(SENT)]
    with pytest.raises(Unprocessable) as error:
        read(wrong, rules, 5)
    assert [one.field for one in error.value.errors] == ["x.1.total_day_minutes", "x.4.total_day_minutes"]


@each_way
def test_too_many_rows_and_none_are_refused(read: Read, rules: ColumnRules) -> None:
    with pytest.raises(TooLarge, match="At most 4 customers in one request"):
        read(SENT, rules, 4)
    with pytest.raises(Unprocessable) as error:
        read([], rules, 4)
    assert [(one.field, one.problem) for one in error.value.errors] == [("body", "at least one customer is needed")]


@each_way
def test_names_of_the_source_are_read_and_others_are_named(read: Read, rules: ColumnRules) -> None:
    sent = [{"Total day minutes": 1.0, "State": "OH", "Customer ID": f"c{n}"} for n in range(2)]
    assert read(sent, rules, 9).values["total_day_minutes"].tolist() == [1.0, 1.0]
    with pytest.raises(Unprocessable) as error:
        read([one | {"shoe": 1} for one in SENT[:1]], rules, 9)
    assert [one.field.rpartition(".")[2] for one in error.value.errors] == ["shoe"]


@each_way
def test_what_is_unknown_is_ignored_with_a_warning_where_the_protocol_says_so(
    read: Read, rules: ColumnRules, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = read([one | {"shoe": 1, "hat": 2} for one in SENT], rules.ignoring_unknown(), 9)
    assert len(found) == 5
    [said] = caplog.messages
    assert all(repr(name) in said for name in ("shoe", "hat"))


def test_rows_that_differ_in_their_fields_are_read_one_by_one(rules: ColumnRules) -> None:
    found = from_records(
        [SENT[0], {"state": "WV", "customer_id": "d"}, {"State": "OH", "customer_id": "e"}, SENT[4]], rules, "x", 9
    )
    assert [str(value) for value in found.values["total_day_minutes"]] == ["0.0", "nan", "nan", "4.0"]
    assert list(found.customer_ids or ()) == ["c0", "d", "e", "c4"]
    levels = rules.contract["state"].levels
    assert [levels[code] for code in found.values["state"]] == ["OH", "WV", "OH", "OH"]
    same_size = from_records([SENT[0], {"state": "WV", "customer_id": "d", "total_day_calls": 1}], rules, "x", 9)
    assert list(same_size.customer_ids or ()) == ["c0", "d"]
    for odd in ([], None, "x", 1):
        with pytest.raises(Unprocessable) as error:
            from_records([SENT[0], odd], rules, "x", 9)
        assert [(one.field, one.problem) for one in error.value.errors] == [("x.1", "must be an object")]


def test_a_row_of_another_length_is_named_by_its_place(rules: ColumnRules, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PART_ROWS", 2)
    for wrong in ([1.0, "OH"], [1.0, "OH", "c", 1], "abc"):
        with pytest.raises(Unprocessable) as error:
            from_rows([[1.0, "OH", "c"]] * 3 + [wrong], NAMES, rules, "x", 9)
        assert [(one.field, one.problem) for one in error.value.errors] == [
            ("x.3", "a list of 3 values is expected, one a column")
        ]


def test_what_is_no_list_is_named(rules: ColumnRules) -> None:
    refused: list[tuple[Callable[[], Any], str]] = [
        (lambda: from_records({}, rules, "x", 9), "x"),
        (lambda: from_rows("ab", NAMES, rules, "x", 9), "x"),
        (lambda: from_columns({"state": "OH"}, rules, "x", 9), "x.state"),
    ]
    for attempt, field in refused:
        with pytest.raises(Unprocessable) as error:
            attempt()
        assert [(one.field, one.problem) for one in error.value.errors] == [(field, "must be a list")]


def test_rows_come_in_parts_of_5000_and_too_many_are_refused() -> None:
    assert [len(part) for part in batched(range(10_001))] == [5_000, 5_000, 1]
    assert list(batched([])) == []
    check_rows(3, 3)
    with pytest.raises(TooLarge):
        check_rows(4, 3)
