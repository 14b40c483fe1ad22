from __future__ import annotations

import errno
import os

import pytest

from churn.errors import ChurnError, ContractError, InputError, Problem, unwritable


def test_a_problem_names_row_column_rule_and_value() -> None:
    assert str(Problem("must be at least 0", column="calls", row=7, value="-1")) == (
        "row 7, column 'calls': must be at least 0 (found '-1')"
    )
    assert str(Problem("has no rows")) == "has no rows"


def test_contract_error_is_one_line_and_counts_what_it_leaves_out() -> None:
    problems = [Problem("is missing", column="calls"), Problem("is missing", column="bill")]
    assert str(ContractError("a.csv", problems[:1])) == "a.csv: column 'calls': is missing"
    assert str(ContractError("a.csv", problems)) == "a.csv: column 'calls': is missing (and 1 more)"
    assert str(ContractError("a.csv", problems, total=9)).endswith("(and 8 more)")


def test_bad_input_exits_with_2_and_the_rest_with_1() -> None:
    assert ContractError("a.csv", [Problem("x")]).exit_code == InputError.exit_code == 2
    assert ChurnError.exit_code == 1


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 1), (errno.EIO, 1), (errno.EDQUOT, 1), (errno.ENOENT, 2), (errno.EISDIR, 2)]
)
def test_a_full_or_failing_machine_is_no_wrong_input(number: int, code: int) -> None:
    error = unwritable("list.csv", OSError(number, os.strerror(number)))
    assert (error.exit_code, str(error)) == (code, f"list.csv: cannot be written ({os.strerror(number)})")
