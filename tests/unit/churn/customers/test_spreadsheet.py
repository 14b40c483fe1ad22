"""No text of a caller is run as a formula by a spreadsheet; numbers, and what is harmless, stay as they are."""

from __future__ import annotations

import pytest

from churn.customers.spreadsheet import safe_text


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@x", "\tx", "\rx", "\nx", "\uff1dx", "\uff0bx", "\uff0dx", "\uff20x", "-2+3"]
)
def test_what_would_be_run_gets_an_apostrophe(text: str) -> None:
    assert safe_text(text) == f"'{text}"


@pytest.mark.parametrize("text", [None, "", "c-1", "a=b", "-5", "+49 30 123456", "-1.5e-3", "+1.", "'=1", " =1"])
def test_text_that_no_spreadsheet_takes_for_a_formula_stays(text: str | None) -> None:
    assert safe_text(text) == text
