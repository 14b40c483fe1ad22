"""Markdown of texts that people typed: one cell a cell, one line a line, and numbers as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from churn.model_card.markdown import code, facts, interval, line, number, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "n/a"), ("text", "text"), (1_234_567, "1,234,567"), (2.0, "2"), (12_345.0, "12,345")),
        *((0.123456, "0.1235"), (0.5, "0.5000"), (-0.25, "-0.2500"), (1.23456, "1.235"), (-123.456, "-123.5"), (1.5, "1.5")),
    ],
)
def test_numbers_are_for_people(value: Any, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("bounds", [{}, {"low": 1.0}, {"high": 1.0}, {"low": None, "high": 2.0}])
def test_half_an_interval_is_none(bounds: dict[str, Any]) -> None:
    assert interval(bounds) == ""
    assert interval({"low": 0.25, "high": 1_000.0}) == "[0.2500, 1,000]"


@pytest.mark.parametrize("hostile", ["a|b", "a\nb", "a\r\n| --- |\nb", "  a  ", "|", "\u2028"])
def test_a_text_stays_in_its_cell(hostile: str) -> None:
    rows = table(("x", "y"), [(hostile, "z")]).split("\n")
    assert len(rows) == 3
    assert all(row.replace("\\|", "").count("|") == 3 for row in rows)


def test_facts_that_are_empty_are_left_out() -> None:
    assert facts({"a": "1", "b": "", "c": "3"}) == "|  |  |\n| --- | --- |\n| a | 1 |\n| c | 3 |"


def test_code_and_lines_hold_together() -> None:
    assert (code("a`b"), code("")) == ("`a'b`", "")
    assert line(" a \n b\tc ") == "a b c"
