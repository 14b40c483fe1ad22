"""No test names a day that is still to come: on that day it would fail, or pass for nothing.

What a test calls a later day is reckoned from the present, or from a moment that the test sets and that is past.
"""

from __future__ import annotations

import re
from datetime import date

import pytest

from churn.clock import now
from tests.checkout import CHECKOUT

DAY = re.compile(r"\b(20\d\d)-([01]\d)-([0-3]\d)|\b(?:date|datetime|Timestamp)\((20\d\d), (\d+), (\d+)")


def days_to_come(text: str, today: date) -> list[str]:
    """Give the literal days in a text that are not past; a day that does not exist is none."""
    days = ((found[0], "-".join(part.zfill(2) for part in found.groups() if part)) for found in DAY.finditer(text))
    return [said for said, day in days if day >= today.isoformat()]


def test_no_test_names_a_day_that_is_still_to_come() -> None:
    today = now().date()
    texts = {file.relative_to(CHECKOUT): file.read_text() for file in (CHECKOUT / "tests").rglob("*.py")}
    assert not {str(file): found for file, text in texts.items() if (found := days_to_come(text, today))}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('run("{}-12-01")', ["{}-12-01"]),
        ("at = datetime({}, 6, 15, 12, tzinfo=UTC)", ["datetime({}, 6, 15"]),
        ('"{}-06-14T23:59:59Z" and date({}, 6, 14)', []),
        ("seed {}1201, port 2{}", []),
    ],
)
def test_a_day_is_found_however_it_is_written(text: str, found: list[str]) -> None:
    year = "2020"
    assert days_to_come(text.format(year, year), date(2020, 6, 15)) == [one.format(year) for one in found]
