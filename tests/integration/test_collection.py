"""Workers of pytest-xdist share the tests out by number: each must collect the same list, whenever and wherever it does.

In each run they hold their lists against each other, made one after the other, with another order of sets in each, and end it
with an error where two differ. So this is not tested again.
"""

from __future__ import annotations

import gzip
import re

from tests.checkout import CHECKOUT
from tests.conftest import holds_long_tests, pytest_make_parametrize_id


def test_the_name_of_a_test_holds_no_archive_which_differs_from_second_to_second() -> None:
    made = [gzip.compress(b"the same", mtime=second) for second in (1, 2)]
    assert made[0] != made[1]
    assert [pytest_make_parametrize_id(archive, "body") for archive in made] == ["body", "body"]
    assert pytest_make_parametrize_id(b"plain text", "body") is None


def test_where_only_the_long_forms_are_asked_for_no_file_that_marks_some_is_left_out() -> None:
    """They are found by the words of the mark: with other words, or from a helper, they would be missed."""
    tests = CHECKOUT / "tests"
    files = [file for file in tests.rglob("*.py") if re.search(r"\bmark\s*\.\s*long\b", file.read_text())]
    assert len(files) > 20
    assert [file for file in files if not (holds_long_tests(file) and file.match("test_*.py"))] == [
        CHECKOUT / "tests/conftest.py"
    ]
