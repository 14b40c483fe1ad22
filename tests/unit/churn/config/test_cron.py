from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.schedules import Cron

from churn.config.cron import require_cron

RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    stepped = st.tuples(st.one_of(st.just("*"), span), st.integers(1, 9)).map(lambda both: f"{both[0]}/{both[1]}")
    one = st.one_of(number, span, stepped)
    return st.one_of(st.just("*"), st.lists(one, min_size=1, max_size=3).map(",".join))


def prefect_takes(expression: str) -> bool:
    try:
        Cron(expression, timezone="UTC")
    except ValueError:
        return False
    return True


@given(st.tuples(*(fields(*ends) for ends in RANGES.values())).map(" ".join))
def test_what_follows_the_rules_is_accepted_here_and_by_prefect(expression: str) -> None:
    day, month, weekday = expression.split()[2:]
    try:
        require_cron(expression)
    except ValueError:
        assert weekday == "*"
        assert day != "*"
        assert month != "*"
    else:
        assert prefect_takes(expression)


@given(st.text("0123456789*/-,? @LW#abcjan", max_size=20))
def test_whatever_is_written_is_accepted_only_if_prefect_does(expression: str) -> None:
    try:
        require_cron(expression)
    except ValueError:
        return
    assert prefect_takes(expression)


@pytest.mark.parametrize("expression", ["0 3 * * 0", "*/5 * * * *", "30 2 1 jan,JUL mon-fri", "0 0 29 2 *", "0 0 31 4 mon"])
def test_usual_schedules_are_accepted(expression: str) -> None:
    assert require_cron(expression) == expression


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("every sunday", "five fields.* it has 2"),
        ("@daily", "five fields"),
        ("0 3 * *", "it has 4"),
        ("0 0 3 * * 0", "it has 6"),
        ("60 3 * * 0", "minute '60' must be a number from 0 to 59"),
        ("0 24 * * 0", "hour '24'"),
        ("0 3 0 * 0", "day '0'"),
        ("0 3 * 13 0", "month '13'"),
        ("0 3 * * 8", "weekday '8'"),
        ("0 3 * * sunday", "weekday 'sunday' .*or one of sun, mon"),
        ("0 5-3 * * 0", "hour '5-3' ends before it begins"),
        ("*/0 3 * * 0", r"minute '\*/0' is no number, range or step"),
        ("0 3,,4 * * 0", "hour '' is no number"),
        ("*-5 3 * * 0", "minute"),
        ("0 0 31 4,6 *", "never be due"),
        ("0 0 30 feb *", "never be due"),
        ("٣ 3 * * 0", "minute"),
    ],
)
def test_what_is_no_schedule_names_the_field(expression: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        require_cron(expression)
