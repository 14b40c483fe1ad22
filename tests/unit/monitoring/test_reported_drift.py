"""What was said of the same customers is said again only once it has grown, and is forgotten once nothing is left of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitoring.drift.results import DriftReport, DriftResult
from monitoring.reported_drift import USUAL_WITHIN, Moment, ReportedDrift, mark_known_differences, mark_known_moves

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Moment(100, NOON)


def result(statistic: float = 0.5, *, shift: float | None = 1.0, p_value: float = 0.0001, **changes: Any) -> DriftResult:
    made = DriftResult("minutes", "values", "mean scores", statistic, p_value, 0.01, p_value <= 0.01, "mean", 1.0, 2.0, shift)
    return replace(made, **changes)


def report(*results: DriftResult, rows: int = 10_000, tests: int = 1) -> DriftReport:
    return DriftReport(0.05, 0.0001, tests, rows, 1_000, results)


def said(of: Any = "moved", statistic: float = 0.5, **changes: Any) -> ReportedDrift:
    before = NOON - timedelta(days=30)
    values: dict[str, Any] = {"feature": "minutes", "aspect": "values", "detail": None, "rises": True, "standard_error": 0.01}
    made = ReportedDrift(of=of, statistic=statistic, last_seq=7, until=before, seen_at=before, **values)
    return replace(made, **changes)


def known(found: tuple[DriftReport, tuple[ReportedDrift, ...]]) -> list[bool]:
    return [one.known for one in found[0].results]


def test_what_nobody_said_is_news_and_remembered() -> None:
    for tell in (mark_known_moves, lambda *given: mark_known_differences(*given, pytest.fail)):
        told, next_time = tell(report(result(shift=-1.0), result(p_value=0.2, feature="calls")), (), HERE)
        assert [one.known for one in told.results] == [False, False]
        [one] = next_time
        assert (one.feature, one.aspect, one.detail, one.rises, one.statistic) == ("minutes", "values", None, False, 0.5)
        assert (one.standard_error, one.last_seq, one.until, one.seen_at) == (0.01, 100, NOON, NOON)
    assert mark_known_moves(report(result(shift=None, standard_error=0.2), rows=0), (), HERE)[1][0].rises is False
    assert mark_known_moves(report(result(standard_error=0.2)), (), HERE)[1][0].standard_error == 0.2
    assert mark_known_moves(report(result(), rows=0), (), HERE)[1][0].standard_error == 1.0


def test_a_move_that_comes_each_month_is_usual_until_it_is_larger_beyond_chance() -> None:
    # Of one test in 20 the bound is 1.96 standard errors; both sides have 1 %.
    edge = 0.5 + 1.96 * 0.01 * 2**0.5
    assert known(mark_known_moves(report(result(edge - 0.0005)), (said(),), HERE)) == [True]
    assert known(mark_known_moves(report(result(edge + 0.0005)), (said(),), HERE)) == [False]
    assert known(mark_known_moves(report(result(edge + 0.0005), tests=10), (said(),), HERE)) == [True], "of any of ten tests"
    told, [one] = mark_known_moves(report(result()), (said(),), HERE)
    assert told.alarm is False
    assert one == said(seen_at=NOON), "it stays as it was said first"
    later = said(seen_at=NOON + timedelta(days=1))
    assert mark_known_moves(report(result()), (later,), HERE)[1] == (later,)


def test_a_move_is_usual_in_its_own_direction_and_for_two_months() -> None:
    assert known(mark_known_moves(report(result(shift=-1.0)), (said(),), HERE)) == [False]
    assert len(mark_known_moves(report(result(shift=-1.0)), (said(),), HERE)[1]) == 2
    old = said(seen_at=NOON - USUAL_WITHIN)
    assert known(mark_known_moves(report(result()), (old,), HERE)) == [True]
    older = replace(old, seen_at=old.seen_at - timedelta(seconds=1))
    assert known(mark_known_moves(report(result()), (older,), HERE)) == [False]
    other = said("differs", seen_at=older.seen_at)
    assert other in mark_known_moves(report(result()), (other,), HERE)[1], "what is not about moves is passed through"


def test_a_difference_is_news_again_if_its_customers_moved_and_it_grew() -> None:
    moved, still = report(result()), report(result(p_value=0.9))

    def tell(now: DriftResult, since: DriftReport | None, before: ReportedDrift) -> bool:
        [found] = known(mark_known_differences(report(now), (before,), HERE, lambda _: since))
        return found

    before = said("differs")
    assert tell(result(0.6), still, before), "it is larger by chance in who they are"
    assert not tell(result(0.6), moved, before)
    assert tell(result(0.5), moved, before), "it is no larger"
    assert not tell(result(0.4, shift=-1.0), moved, before), "in the other direction"
    assert not tell(result(0.5), None, before), "they are other people"
    assert tell(result(0.6), report(result(feature="calls")), before), "another column moved"
    for aspect in ("dependence", "slice"):
        one = replace(before, aspect=aspect, detail="x")
        assert tell(result(0.52, aspect=aspect, other="x"), moved, one)
        assert not tell(result(0.6, aspect=aspect, other="x"), still, one)
        assert not tell(result(0.1, shift=-1.0, aspect=aspect, other="x"), still, one), "gone all the way, and beyond"


def test_a_difference_is_forgotten_once_nothing_is_left_to_see_of_it() -> None:
    before = said("differs")
    for p_value, remembered in ((0.51, ()), (0.5, (before,)), (0.02, (before,))):
        assert mark_known_differences(report(result(p_value=p_value)), (before,), HERE, pytest.fail)[1] == remembered
    move = said("moved")
    assert mark_known_differences(report(result(p_value=0.9)), (move,), HERE, pytest.fail)[1] == (move,)
