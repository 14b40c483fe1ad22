"""What companies' exports hold: other ways to write numbers, ids that look like quantities, leaks, words for yes, dates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.contract_draft.draft import Draft, DraftedColumn, draft_contract
from churn.data.dataset import read_dataset
from churn.errors import InputError

ROWS = 400
RNG = np.random.default_rng(5)
CHURN = ["Yes" if left else "No" for left in RNG.random(ROWS) < 0.3]
SPENT = [f"{n}.25" for n in RNG.permutation(ROWS)]


def draft(folder: Path, *, target: str | None = None, churn: list[Any] | None = None, **columns: list[Any]) -> Draft:
    path = folder / "export.csv"
    pd.DataFrame({"Spent": SPENT, **columns, "Churn": churn or CHURN}).to_csv(path, index=False)
    return draft_contract(path, target)


def column(folder: Path, name: str, values: list[Any]) -> DraftedColumn:
    return next(one for one in draft(folder, **{name: values}).columns if one.column["source"] == name)


def with_odd(*odd: str, values: list[str] = SPENT) -> list[str]:
    return [*odd, *values[len(odd) :]]


def read(folder: Path, name: str, values: list[Any]) -> list[float]:
    found = draft(folder, **{name: values})
    return list(read_dataset(folder / "export.csv", found.contract).features[name.lower()])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.50", 1234.5),
        ("$12.50", 12.5),
        ("12.5 EUR", 12.5),
        ("7%", 7),
        ("12 GB", 12),
        ("(12.50)", -12.5),
        ("\N{MINUS SIGN}3", -3),
        ("1.2e3", 1200),
        ("1\u00a0234.5", 1234.5),
        ("\u00a05.5 ", 5.5),
        ("1'234.5", 1234.5),
    ],
)
def test_a_number_in_another_way_is_the_number_that_is_meant(tmp_path: Path, text: str, number: float) -> None:
    found = read(tmp_path, "Paid", with_odd(text, text))
    assert found[:2] == [number, number]
    assert found[2:] == [float(value) for value in SPENT[2:]]


@pytest.mark.parametrize(
    "text", ["?", "#DIV/0!", r"\N", "-", "N/A", "n.a.", "3k", "unknown", "see note", "1e999", "nan", "12-13", "1,2,3"]
)
def test_what_is_no_number_counts_as_missing_and_is_said(tmp_path: Path, text: str) -> None:
    found = column(tmp_path, "Paid", with_odd(text))
    assert found.column["kind"] == "number"
    assert found.column["nullable"]
    (note,) = found.notes
    assert f"counts as missing: {text!r} (1)" in note
    assert np.isnan(read(tmp_path, "Paid", with_odd(text))[0])


def test_decimal_commas_with_points_between_thousands(tmp_path: Path) -> None:
    values = with_odd("1.234,50", "2.345", "-", values=[value.replace(".", ",") for value in SPENT])
    found = column(tmp_path, "Paid", values)
    assert found.column["number_format"] == {"decimal": ",", "thousands": "."}
    assert found.column["missing"] == ["-"]
    np.testing.assert_array_equal(read(tmp_path, "Paid", values)[:4], [1234.5, 2345, np.nan, float(SPENT[3])])


def test_a_comma_that_may_be_either_is_a_question(tmp_path: Path) -> None:
    values = with_odd("1,234", values=[str(n // 2) for n in range(ROWS)])
    assert "or the decimal mark?" in column(tmp_path, "Paid", values).notes[0]
    assert read(tmp_path, "Paid", values)[0] == 1234


def test_of_two_units_the_rarer_counts_as_missing(tmp_path: Path) -> None:
    values = with_odd("500 MB", "3 GB", "4 GB")
    assert column(tmp_path, "Used", values).column["missing"] == ["500 MB"]
    np.testing.assert_array_equal(read(tmp_path, "Used", values)[:3], [np.nan, 3, 4])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["3G", "4G", "5G"], "category"),
        (["12 months", "24 months"], "category"),
        (["A12", "A13", "B7"], "category"),
        (["10%", "20%", "30%"], "integer"),
        (["0", "1", "2", "3"], "integer"),
    ],
)
def test_few_levels_with_digits_are_levels_unless_they_are_numbers(tmp_path: Path, values: list[str], kind: str) -> None:
    assert column(tmp_path, "Plan", list(RNG.choice(values, ROWS))).column["kind"] == kind


def test_one_odd_cell_does_not_make_levels_of_counts(tmp_path: Path) -> None:
    values = ["?", *map(str, RNG.integers(0, 9, ROWS - 1))]
    assert column(tmp_path, "Calls", values).column["kind"] == "integer"
    # One in three says something.
    assert column(tmp_path, "Months", list(RNG.choice(["12", "24", "open"], ROWS))).column["kind"] == "category"


@pytest.mark.parametrize(("odd", "numeric"), [(40, True), (41, False)])
def test_a_column_is_one_of_numbers_if_nine_in_ten_cells_are(tmp_path: Path, odd: int, *, numeric: bool) -> None:
    found = column(tmp_path, "Paid", with_odd(*(["see note"] * odd)))
    assert (found.column["kind"] == "number") is numeric
    if not numeric:
        assert found.column["role"] == "ignored"
        assert "89.8% of its cells are numbers; a column of numbers takes 90%" in found.notes[0]
        assert "'see note' (41)" in found.notes[0]


# Ids


@pytest.mark.parametrize(
    "name", ["EmployeeNumber", "CLIENTNUM", "custno", "CustomerID", "policy no", "order_id", "Account Number"]
)
@pytest.mark.parametrize("first", [1, 100_000])
def test_whole_numbers_that_are_unique_and_named_so_are_the_id(tmp_path: Path, name: str, first: int) -> None:
    steps = [first + n for n in range(ROWS)] if name == "CustomerID" else [first + 3 * n for n in range(ROWS)]
    assert column(tmp_path, name, steps).column["role"] == "id"


def test_unique_whole_numbers_without_such_a_name_drive_no_answer_and_are_a_question(tmp_path: Path) -> None:
    found = column(tmp_path, "Ticket", [7 * n + 3 for n in range(ROWS)])
    assert found.column["role"] == "ignored"
    assert "If it is a quantity, say kind: integer, without a role" in found.notes[0]
    assert column(tmp_path, "Spend", [n // 2 * 7 for n in range(ROWS)]).column["kind"] == "integer"


# Leaks


@pytest.mark.parametrize(
    "leak",
    [
        ["gone" if one == "Yes" else "here" for one in CHURN],
        [f"2024-0{n % 9 + 1}-01x" if one == "Yes" else "" for n, one in enumerate(CHURN)],
        [float(n % 7) if one == "No" else "" for n, one in enumerate(CHURN)],
        [f"{'x' if one == 'Yes' else 'y'}{n % 4}" for n, one in enumerate(CHURN)],
    ],
)
def test_a_column_that_tells_the_outcome_in_every_row_is_ignored_and_said(tmp_path: Path, leak: list[Any]) -> None:
    found = column(tmp_path, "Status", leak)
    assert found.column["role"] == "ignored"
    assert found.notes == ("ignored: it tells the outcome in every row: is it known only afterwards?",)
    # All but two rows: something to learn from, and to ask about.
    other = next(n for n in range(1, ROWS) if CHURN[n] != CHURN[0])
    leak[0], leak[other] = leak[other], leak[0]
    nearly = column(tmp_path, "Status", leak)
    assert "role" not in nearly.column
    assert nearly.notes[0].startswith("it tells the outcome in all but 2 of 400 rows: is it known only afterwards?")


def test_a_number_that_is_larger_for_who_left_is_ignored_or_asked_about(tmp_path: Path) -> None:
    fees = [100 + n % 50 if one == "Yes" else n % 50 for n, one in enumerate(CHURN)]
    assert column(tmp_path, "Fee", fees).column["role"] == "ignored"
    fees[CHURN.index("Yes")] = 5
    found = column(tmp_path, "Fee", fees)
    assert "role" not in found.column
    assert "in all but 1 of 400 rows" in found.notes[0]


# The outcome


@pytest.mark.parametrize("name", ["Churn Status", "Customer Status"])
def test_an_outcome_of_three_levels_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / "export.csv"
    pd.DataFrame({"Spent": SPENT, name: RNG.choice(["Churned", "Joined", "Stayed"], ROWS)}).to_csv(path, index=False)
    for target in (None, name):
        with pytest.raises(InputError) as error:
            draft_contract(path, target)
        assert f"{name!r} has 3 levels ('Churned', 'Joined', 'Stayed'), and an outcome has two" in str(error.value)
        assert "leave out the rows of the others" in str(error.value)


# Words for yes and no, levels, dates


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        *(("yes", "no"), ("Y", "N"), ("TRUE", "FALSE"), ("1", "0"), ("t", "f")),
        *(("ja", "nein"), ("Oui", "Non"), ("sí", "no"), ("on", "off")),
    ],
)
def test_words_for_yes_and_no(tmp_path: Path, yes: str, no: str) -> None:
    values = ["?", *RNG.choice([yes, no], ROWS - 1)]
    found = column(tmp_path, "Plan", values)
    assert found.column["kind"] == "flag"
    assert found.column["missing"] == ["?"]
    assert found.notes == ("1 cell holds a text, and counts as missing: '?' (1)",)
    np.testing.assert_array_equal(read(tmp_path, "Plan", values), [np.nan, *(float(value == yes) for value in values[1:])])


def test_several_words_for_yes_and_levels_that_differ_in_capitals_are_said(tmp_path: Path) -> None:
    assert "several words for yes and no" in column(tmp_path, "Plan", list(RNG.choice(["Yes", "No", "Y", "N"], ROWS))).notes[0]
    found = column(tmp_path, "Line", list(RNG.choice(["DSL", "dsl", "Fiber"], ROWS)))
    assert found.notes == ("'DSL', 'dsl' differ only in capitals: are they the same?",)
    assert found.column["levels"] == ["DSL", "Fiber", "dsl"]


@pytest.mark.parametrize("levels", [["NA", "BW", "ZA"], ["na", "bw", "za"], ["?", "A", "B"], ["unknown", "A", "B"]])
def test_a_level_stays_a_level_and_is_said(tmp_path: Path, levels: list[str]) -> None:
    found = column(tmp_path, "Country", list(RNG.choice(levels, ROWS)))
    assert found.column["levels"] == sorted(levels)
    assert f"{levels[0]!r} stays a level" in found.notes[0]


@pytest.mark.parametrize("text", ["31 Jan 2024", "2024-01-31T10:15:00", "31-Jan-2024", "Jan 31, 2024", "31.01.2024", "März 2024"])
def test_dates_are_ignored_also_where_some_are_missing(tmp_path: Path, text: str) -> None:
    other = text.replace("2024", "2023")
    found = column(tmp_path, "Since", ["?", "unknown", *RNG.choice([text, other], ROWS - 2)])
    assert found.column["role"] == "ignored"
    assert found.why == "ignored: a date"


def test_remarks_are_no_levels(tmp_path: Path) -> None:
    found = column(tmp_path, "Remark", list(RNG.choice(["x" * 101, "y" * 200], ROWS)))
    assert found.column["role"] == "ignored"


def test_columns_that_differ_in_capitals_are_two(tmp_path: Path) -> None:
    found = draft(tmp_path, calls=list(RNG.integers(0, 50, ROWS)), Calls=list(RNG.integers(0, 50, ROWS)))
    assert [column.source for column in found.contract.features] == ["Spent", "calls", "Calls"]
