from __future__ import annotations

import pytest

from churn.customers.csv_header import header_problem, lines_below


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (["sep=#"], ["State#Churn"], "note for Excel"),
        (["Customer export of June"], ["State", "Calls", "Churn"], "a title"),
        (["Customer export of June", "", ""], ["", "", ""], "a title"),
        (["Export of customers", " June"], ["c-1", "KS", "128", "1.5", "True"], "a title"),
        (["Q1", "", "", "Q2", "", ""], ["State", "Calls", "Day", "Eve", "Night", "Churn"], "a title"),
        (["", "", ""], ["State", "Calls", "Churn"], "empty fields"),
        (["State;Churn"], ["KS;True"], "semicolons"),
    ],
)
def test_a_first_line_that_is_no_header_is_named(first: list[str], second: list[str], said: str) -> None:
    assert said in (header_problem(first, second) or "")


@pytest.mark.parametrize(
    ("first", "second"),
    [(["State", "Churn"], ["KS", "True"]), (["State"], ["KS"]), (["", "State"], ["0", "KS"]), ([], []), (["", ""], [])],
)
def test_a_header_is_none_of_these(first: list[str], second: list[str]) -> None:
    assert header_problem(first, second) is None


def test_a_header_is_judged_by_the_first_row_of_some_fields() -> None:
    rows = iter([["by Anna"], [], ["", ""], ["State", "Churn"], ["KS", "True"]])
    assert lines_below(rows) == [["by Anna"], ["", ""], ["State", "Churn"]]
    assert next(rows) == ["KS", "True"]
