"""Newcomers in sums: they add up, too few wait, the first are a measure, and what was said is usual from then on."""

from __future__ import annotations

import pytest

from monitoring.drift.cohorts import MIN_NEWCOMERS, Cohorts, CohortSums, NumberSums

A_MONTH = 30.0


def of(rows: int, level: str = "KS") -> CohortSums:
    number = NumberSums(rows, 2.0 * rows, ((1.0 * rows,), (3.0 * rows,), (5.0 * rows,)), (2.0 * rows,), 0.1 * rows)
    return CohortSums(rows, {"minutes": number}, {"state": {level: rows}}, {"minutes": 1})


def test_the_sums_of_two_cohorts_add_up_to_those_of_both() -> None:
    both = of(2, "KS").plus(of(3, "OH"))
    assert both.rows == 5
    assert both.numbers == {"minutes": NumberSums(5, 10.0, ((5.0,), (15.0,), (25.0,)), (10.0,), 0.5)}
    assert both.levels == {"state": {"KS": 2, "OH": 3}}
    assert both.missing == {"minutes": 2}


def test_nothing_adds_nothing() -> None:
    assert CohortSums().plus(of(2)) == of(2) == of(2).plus(CohortSums())


def test_the_first_are_a_measure_and_the_next_wait_until_they_are_enough() -> None:
    few = Cohorts().joined_by(of(MIN_NEWCOMERS - 1), A_MONTH)
    assert (few.earlier.rows, few.waiting.rows, few.can_judge) == (0, MIN_NEWCOMERS - 1, False)
    first = few.joined_by(of(1), A_MONTH)
    assert (first.earlier.rows, first.waiting.rows, first.can_judge) == (MIN_NEWCOMERS, 0, False)
    waiting = first.joined_by(of(MIN_NEWCOMERS - 1), A_MONTH)
    assert (waiting.earlier.rows, waiting.waiting.rows, waiting.can_judge) == (MIN_NEWCOMERS, MIN_NEWCOMERS - 1, False)
    assert waiting.joined_by(of(1), A_MONTH).can_judge


@pytest.mark.parametrize(("drifted", "kept"), [(False, 160), (True, 60)])
def test_what_was_said_is_usual_from_then_on(drifted: bool, kept: int) -> None:
    after = Cohorts(of(100), of(60)).judged(drifted=drifted)
    assert (after.earlier.rows, after.waiting) == (kept, CohortSums())


def base_seen_after(*gaps: float) -> list[tuple[int, bool]]:
    """How many newcomers are kept, and whether those of this sight are judged, at each sight of a base."""
    cohorts, found = Cohorts(), []
    for gap_days in gaps:
        cohorts = cohorts.joined_by(of(60), gap_days)
        judged = cohorts.can_judge
        cohorts = cohorts.judged(drifted=False) if judged else cohorts
        found.append((cohorts.earlier.rows, judged))
    return found


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ((30, 31, 28), [(60, False), (120, True), (180, True)]),
        ((30, 30, 60, 30, 30), [(60, False), (120, True), (0, False), (60, False), (120, True)]),
        ((30, 90, 90, 90), [(60, False), (0, False), (60, False), (120, True)]),
        ((30, 7, 7, 7), [(60, False), (0, False), (60, False), (120, True)]),
        ((1, 1, 3, 1), [(60, False), (120, True), (180, True), (240, True)]),
    ],
)
def test_who_came_in_a_longer_or_shorter_time_than_usual_is_not_compared(days: tuple[int, ...], found: list[object]) -> None:
    assert base_seen_after(*days) == found
