from __future__ import annotations

from pathlib import Path

import pytest

from churn.data.files import TabularFile
from churn.data.problems import LISTED_PROBLEMS, Problems
from churn.errors import ContractError


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n" + "".join(f"{n},{n}\n" for n in range(60)))
    return Problems(TabularFile(file, {}, 60))


def raised(problems: Problems) -> ContractError:
    with pytest.raises(ContractError) as caught:
        problems.raise_any()
    return caught.value


def test_no_problem_is_no_error(problems: Problems) -> None:
    problems.raise_any()
    assert problems.total == 0


def test_a_problem_names_line_column_rule_and_value(problems: Problems) -> None:
    problems.add(3, "a", "must be a number", "x")
    problems.add(1, None, "is there twice")
    error = raised(problems)
    assert error.total == 2
    assert [(one.row, one.column, one.rule, one.value) for one in error.problems] == [
        (3, None, "is there twice", None),
        (5, "a", "must be a number", "x"),
    ]


def test_the_first_rows_of_all_columns_are_listed_and_all_are_counted(problems: Problems) -> None:
    for column in ("b", "a"):
        for row in range(50):
            problems.add(row, column, "rule", row)
    error = raised(problems)
    assert error.total == 100
    assert len(error.problems) == LISTED_PROBLEMS == 20
    assert [one.row for one in error.problems] == [row + 2 for row in range(10) for _ in "ab"]


def test_of_one_column_the_first_twenty_are_kept(problems: Problems) -> None:
    for row in range(30):
        problems.add(row, "a", "rule", row)
    assert [one.row for one in raised(problems).problems] == list(range(2, 22))


@pytest.mark.parametrize(
    ("cell", "shown"), [("x" * 60, "x" * 60), ("x" * 61, "x" * 60 + "…"), (None, None), (1.5, "1.5"), ("", "")]
)
def test_a_long_value_is_cut(cell: object, shown: str | None, problems: Problems) -> None:
    problems.add(0, "a", "rule", cell)
    assert raised(problems).problems[0].value == shown
