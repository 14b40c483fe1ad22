from __future__ import annotations

import pytest

from churn.contract_draft.column_profile import ColumnProfile
from churn.contract_draft.notes import notes
from tests.unit.churn.contract_draft.profiles import profile

HALVES = [f"{n}.5" for n in range(200)]


def said(values: list[object], role: str = "feature", name: str = "x") -> tuple[str, ...]:
    return notes(profile(values, name), role)


def test_a_plain_column_needs_no_words_and_a_sensitive_one_gets_none() -> None:
    assert said(HALVES) == ()
    assert said([*HALVES, "?"], "sensitive") == ()
    nearly = with_share(80, 20)
    assert notes(nearly, "ignored")
    assert [notes(nearly, role) for role in ("sensitive", "id", "target")] == [()] * 3


def test_cells_that_count_as_missing_are_counted_and_named() -> None:
    assert said([*HALVES, "NA", "NA"]) == ("2 cells hold a text, and count as missing: 'NA' (2)",)
    assert said([*HALVES, "oops"]) == ("1 cell holds a text and no number, and counts as missing: 'oops' (1)",)
    assert said(["yes", "no", "?"] * 2) == ("2 cells hold a text, and count as missing: '?' (2)",)
    many = [f"odd{chr(97 + n)}" for n in range(12)]
    assert said([*HALVES, *many])[0].endswith("'oddj' (1) and 2 other texts")


def test_numbers_in_other_words_are_shown_with_what_they_mean() -> None:
    (found,) = said([*HALVES, "1,234.50", "1,234.50"])
    assert found == "2 cells write a number in another way, as number_format says: '1,234.50' (2) is 1234.5"
    (one,) = said([*HALVES, "5 USD"])
    assert one.startswith("1 cell writes a number in another way")
    assert one.endswith("Are those without 'USD' in the same unit?")
    (doubtful,) = said([*(str(n) for n in range(200)), "1,234"])[:1]
    assert doubtful.endswith("Is ',' here between thousands, as taken, or the decimal mark?")
    many = [f"{n} USD" for n in range(12)]
    assert "and 2 other texts" in said([*HALVES, *many])[0]


def test_levels_that_may_be_something_else_are_asked_about() -> None:
    (nothing,) = said(["Offer A", "None", "Offer B"] * 5)
    assert nothing.startswith("'None' stays a level; if it means a missing value here, delete the level")
    assert nothing.endswith("missing: ['None']")
    assert said(["yes", "no", "ja"] * 5) == ("'ja', 'no', 'yes' are several words for yes and no: make them two in the file",)
    assert said(["Red", "red", "blue"] * 5) == ("'Red', 'red' differ only in capitals: are they the same?",)
    assert said(["red", "blue"] * 5) == ()


def test_a_whole_number_of_its_own_for_every_row_may_be_an_id() -> None:
    own = [str(n * 7) for n in range(99)]
    assert said(own) == ("every row has a whole number of its own: is it an id? Then give it role: ignored",)
    assert said([*own, "999"]) == ()
    assert said(own, name="order id") == ()
    assert said([*own[:-1], own[0]]) == ()


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("-1", [str(n) for n in range(200)]),
        ("-999", [str(n * 10) for n in range(200)]),
        ("-99", HALVES),
        ("-999.0", HALVES),
        ("999", HALVES),
        ("9999", [str(-n) for n in range(1, 200)]),
    ],
)
def test_a_number_that_may_stand_for_a_missing_value_is_asked_about(text: str, others: list[object]) -> None:
    asked = f"5 cells are {text}: if that means a missing value, say nullable: true and missing: ['{text}']"
    assert asked in said([*others, *[text] * 5])
    assert asked.replace("5", "4", 1) not in said([*others, *[text] * 4])
    assert all("if that means a missing value, say nullable" not in note for note in said([*others * 5, *[text] * 5]))


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("-1", [str(n - 100) for n in range(200)]),
        ("99", [str(n % 98) for n in range(200)]),
        ("250", HALVES),
        ("-250", HALVES),
        ("9999", ["1", "2", "3"]),
    ],
)
def test_a_number_among_others_is_a_number(text: str, others: list[object]) -> None:
    assert all("missing value, say nullable" not in note for note in said([*others, *[text] * 9]))


def with_share(numbers: int, others: int) -> ColumnProfile:
    return profile([*(f"{n}.25" for n in range(numbers)), *(f"text {chr(97 + n % 26)}{n}" for n in range(others))])


def test_an_ignored_column_that_is_nearly_one_of_numbers_says_how_nearly() -> None:
    (found,) = notes(with_share(75, 25), "ignored")
    assert found.startswith("75.0% of its cells are numbers; a column of numbers takes 90%")
    assert "and 15 other texts" in found
    assert notes(with_share(49, 51), "ignored") == ()
    assert notes(with_share(50, 50), "ignored") != ()
    assert notes(profile(HALVES), "ignored") == ()
