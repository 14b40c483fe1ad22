"""How a column writes numbers, found by what its cells say, and what is no column of numbers at all."""

from __future__ import annotations

import pytest

from churn.contract_draft.number_texts import MAX_ODD_TEXTS, PLACEHOLDERS, NumberTexts, read_number_texts

PLAIN = {f"{n}.5": 1 for n in range(200)}


def read(texts: dict[str, int], beside: dict[str, int] = PLAIN) -> NumberTexts:
    found = read_number_texts(beside | texts)
    assert found is not None
    return found


def form_of(found: NumberTexts) -> tuple[str, str | None, tuple[str, ...], bool]:
    assert found.form is not None
    return found.form.decimal, found.form.thousands, found.form.units, found.form.parentheses


def test_plain_numbers_need_no_form() -> None:
    assert read_number_texts({"1": 3, "-2.5": 1, "1e3": 1}) == NumberTexts(None)


@pytest.mark.parametrize(
    ("texts", "form", "number"),
    [
        ({"1,234.50": 1}, (".", ",", (), False), 1234.5),
        ({"1,234,567": 1}, (".", ",", (), False), 1234567.0),
        ({"$12.50": 1}, (".", "", ("$",), False), 12.5),
        ({"12.50 USD": 1}, (".", "", ("USD",), False), 12.5),
        ({"12 min": 1}, (".", "", ("min",), False), 12.0),
        ({"45%": 1}, (".", "", ("%",), False), 45.0),
        ({"(12.50)": 1}, (".", "", (), True), -12.5),
        ({"1 234.5": 1}, (".", " ", (), False), 1234.5),
        ({"1'234.5": 1}, (".", "'", (), False), 1234.5),
    ],
)
def test_a_text_beside_plain_numbers_is_read_as_it_is_meant(
    texts: dict[str, int], form: tuple[object, ...], number: float
) -> None:
    found = read(texts)
    assert form_of(found) == form
    assert found.meant == dict.fromkeys(texts, number)
    assert found.odd == {}


@pytest.mark.parametrize(
    ("texts", "thousands", "number"),
    [({"1.234,5": 1}, ".", 1234.5), ({"1.234": 1}, ".", 1234.0), ({"0,75": 1}, "", 0.75), ({"1 234,5": 1}, " ", 1234.5)],
)
def test_where_most_write_a_decimal_comma_a_point_stands_between_thousands(
    texts: dict[str, int], thousands: str, number: float
) -> None:
    found = read(texts, {f"{n},5": 1 for n in range(200)})
    assert form_of(found)[:2] == (",", thousands)
    assert found.form is not None
    assert [found.form.read(text) for text in texts] == [number] * len(texts)
    assert found.meant["3,5"] == 3.5
    assert found.doubt == ""


def test_a_comma_that_may_be_either_is_taken_between_thousands_and_asked_about() -> None:
    found = read({"1,234": 2}, {str(n): 1 for n in range(200)})
    assert found.meant == {"1,234": 1234.0}
    assert "is ',' here between thousands, as taken, or the decimal mark?" in found.doubt
    # A cell that tells leaves no doubt.
    assert read({"1,234": 2, "5.5": 1}, {str(n): 1 for n in range(200)}).doubt == ""


@pytest.mark.parametrize("text", ["?", "unknown", "A12", "3k", "12 USD EUR", "x12y", "inf", "12 bn"])
def test_what_means_no_number_counts_as_missing(text: str) -> None:
    found = read({text: 2})
    assert found.odd == {text: 2}
    assert (found.form, found.meant) == (None, {})


def test_of_two_units_the_rarer_one_counts_as_missing() -> None:
    found = read({"5 USD": 3, "6 EUR": 1})
    assert form_of(found)[2] == ("USD",)
    assert (found.meant, found.odd) == ({"5 USD": 5.0}, {"6 EUR": 1})


def test_nine_in_ten_cells_must_be_numbers() -> None:
    assert read({"a": 22}).odd == {"a": 22}
    assert read_number_texts(PLAIN | {"a": 23}) is None


def test_at_most_twenty_different_texts_may_be_none() -> None:
    assert len(read({f"a{'b' * n}": 1 for n in range(MAX_ODD_TEXTS)}).odd) == 20
    assert read_number_texts(PLAIN | {f"a{'b' * n}": 1 for n in range(MAX_ODD_TEXTS + 1)}) is None


def test_few_numbers_may_be_levels_and_so_may_what_stands_beside_them() -> None:
    few = {"1": 50, "2": 50}
    assert read_number_texts(few | {"?": 5}) is not None
    assert read_number_texts(few | {"fibre": 2}) is not None
    assert read_number_texts(few | {"fibre": 3}) is None
    assert read_number_texts({str(n): 5 for n in range(20)} | {"fibre": 5}) is not None
    assert read_number_texts({str(n): 5 for n in range(19)} | {"fibre": 5}) is None


def test_levels_with_a_unit_are_no_numbers_but_amounts_are() -> None:
    assert read_number_texts({"12 months": 50, "24 months": 50}) is None
    assert read_number_texts({"12 USD": 50, "24 USD": 50}) is not None
    assert read_number_texts({f"{n} months": 5 for n in range(20)}) is not None
    assert read_number_texts({"12": 95, "24 months": 5}) is not None


def test_placeholders_are_written_in_small_letters_as_they_are_looked_up() -> None:
    assert {text.lower() for text in PLACEHOLDERS} == PLACEHOLDERS
