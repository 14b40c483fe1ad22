from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from churn.contract import Column
from churn.customers.cell_rule import CellRule
from churn.number_format import NumberFormat

DOLLARS = NumberFormat(thousands=",", units=("$", "GB"), parentheses=True)
EUROS = NumberFormat(decimal=",", thousands=".", units=("€",))
SWISS = NumberFormat(thousands="'", units=("CHF",))
FRENCH = NumberFormat(decimal=",", thousands=" ", units=("%",))


@pytest.mark.parametrize(
    ("form", "text", "number"),
    [
        (DOLLARS, "1,234.50", 1234.5),
        (DOLLARS, "$1,234.50", 1234.5),
        (DOLLARS, "1,23,456.7", 123456.7),
        (DOLLARS, "12 gb", 12),
        (DOLLARS, "(12.50)", -12.5),
        (DOLLARS, "($12)", -12),
        (DOLLARS, "-$5", -5),
        (DOLLARS, "$-5", -5),
        (DOLLARS, "12.50-", -12.5),
        (DOLLARS, "\N{MINUS SIGN}5", -5),
        (DOLLARS, "1.2e3", 1200),
        (DOLLARS, "5\u00a0", 5),
        (DOLLARS, "1e999", math.inf),
        (DOLLARS, "1234567.5", 1234567.5),
        (EUROS, "1.234,50 €", 1234.5),
        (EUROS, "1.234", 1234),
        (EUROS, ",5", 0.5),
        (EUROS, "1,5e2", 150),
        (SWISS, "CHF 1\N{RIGHT SINGLE QUOTATION MARK}234.50", 1234.5),
        (FRENCH, "1\u202f234,5\u00a0%", 1234.5),
    ],
)
def test_a_number_is_read_as_it_is_meant(form: NumberFormat, text: str, number: float) -> None:
    assert form.read(text) == number


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *((DOLLARS, text) for text in ("", "$", "GB", "1,2", "12,34", "--5", "(5", "5)", "(-5)", "-5-")),
        *((DOLLARS, text) for text in ("1 234", "5 €", "nan", "inf", "$ 5 $ 5")),
        *((EUROS, text) for text in ("1.5", "12.34", "1,2,3", "(5)", "1.23,4", "1.234.5")),
        *((SWISS, text) for text in ("1,5", "1''234")),
        (NumberFormat(), "1,234"),
        (NumberFormat(), "(5)"),
    ],
)  # fmt: skip
def test_what_is_written_otherwise_is_no_number(form: NumberFormat, text: str) -> None:
    assert form.read(text) is None


def written(form: NumberFormat, number: float) -> str:
    text = f"{abs(number):,.6f}".replace(",", "t").replace(".", form.decimal).replace("t", form.thousands)
    return f"{'-' if number < 0 else ''}{form.units[0]} {text}" if form.units else f"{'-' if number < 0 else ''}{text}"


@given(st.sampled_from([DOLLARS, EUROS, SWISS, FRENCH, NumberFormat()]), st.floats(-1e9, 1e9))
def test_what_a_format_writes_it_reads(form: NumberFormat, number: float) -> None:
    assert form.read(written(form, number)) == float(f"{number:.6f}")


@given(st.floats(-1e300, 1e300).map(repr))
def test_a_plain_text_is_itself_unless_the_mark_is_a_comma(text: str) -> None:
    assert all(form.read(text) == float(text) for form in (DOLLARS, SWISS, NumberFormat()))


@pytest.mark.parametrize("text", ["1" * 9_999 + "x", "1,234" * 2_000, " " * 9_999 + "x", "$ " * 5_000, "1" + ",11" * 3_000 + "x"])
def test_a_long_text_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    assert DOLLARS.read(text) is None
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decimal": ",", "thousands": ","}, "cannot be the decimal mark and stand between thousands"),
        ({"units": (" ",)}, "cannot be a unit"),
        ({"units": ("m2",)}, "cannot be a unit"),
        ({"units": ("-",)}, "cannot be a unit"),
        ({"decimal": ";"}, "Input should be"),
    ],
)
def test_a_format_that_contradicts_itself_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NumberFormat(**options)


def test_only_numbers_have_a_format() -> None:
    with pytest.raises(ValidationError, match="only a number or an integer has a number_format"):
        Column(name="plan", source="Plan", kind="flag", number_format=DOLLARS)


def test_what_breaks_the_format_is_told_how_numbers_are_written() -> None:
    rule = CellRule(Column(name="paid", source="Paid", kind="number", number_format=EUROS, missing=("-",)))
    assert [rule.read(cell) for cell in ("1.234,5", 1234.5, " - ", None)] == [1234.5, 1234.5, None, None]
    with pytest.raises(ValueError, match=r"must be a number, written as 1\.234,5"):
        rule.read("1.5")
    with pytest.raises(ValueError, match="finite"):
        rule.read("1e999")
