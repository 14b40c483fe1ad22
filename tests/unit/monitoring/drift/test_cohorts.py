"""Newcomers in sums: they add up, too few wait, the first are a measure, and what was said is usual from then on."""

from __future__ import annotations

import pytest

from monitoring.drift.cohorts import MIN_NEWCOMERS, Cohorts, CohortSums, NumberSums


def of(rows: int, level: str = "KS") -> CohortSums:
    number = NumberSums(rows, 2.0 * rows, ((1.0 * rows,), (3.0 * rows,), (5.0 * rows,)), (2.0 * rows,), 0.1 * rows)
    return CohortSums(rows, {"minutes": number}, {"state": {level: rows}}, {"minutes": 1})


def test_sums_add_up() -> None:
    both = of(2, "KS").plus(of(3, "OH"))
    assert both.rows == 5
    assert both.numbers == {"minutes": NumberSums(5, 10.0, ((5.0,), (15.0,), (25.0,)), (10.0,), 0.5)}
    assert both.levels == {"state": {"KS": 2, "OH": 3}}
    assert both.missing == {"minutes": 2}


def test_nothing_adds_nothing() -> None:
    assert CohortSums().plus(of(2)) == of(2) == of(2).plus(CohortSums())


def test_the_first_are_a_measure_and_the_next_wait_until_they_are_enough() -> None:
    few = Cohorts().joined_by(of(MIN_NEWCOMERS - 1))
    assert (few.earlier.rows, few.waiting.rows, few.can_judge) == (0, MIN_NEWCOMERS - 1, False)
    first = few.joined_by(of(1))
    assert (first.earlier.rows, first.waiting.rows, first.can_judge) == (MIN_NEWCOMERS, 0, False)
    waiting = first.joined_by(of(MIN_NEWCOMERS - 1))
    assert (waiting.earlier.rows, waiting.waiting.rows, waiting.can_judge) == (MIN_NEWCOMERS, MIN_NEWCOMERS - 1, False)
    assert waiting.joined_by(of(1)).can_judge


@pytest.mark.parametrize(("drifted", "kept"), [(False, 160), (True, 60)])
def test_what_was_said_is_usual_from_then_on(drifted: bool, kept: int) -> None:
    after = Cohorts(of(100), of(60)).judged(drifted=drifted)
    assert (after.earlier.rows, after.waiting) == (kept, CohortSums())
