"""A base that is scored every night: what differs is said once, what moves is found, and people without ids are new each time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference
from monitoring.run_result import RunResult
from tests.unit.monitoring.drift.test_paired import later
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, logged, make_settings

REFERENCE = Reference.of(customers(1500, seed=1), CONTRACT)
ROWS = 400


def nights(*scored: pd.DataFrame, named: bool = True) -> list[RunResult]:
    """Score the same customers once a night; each night is judged."""
    store, results = FakeStore(), []
    for night, frame in enumerate(scored):
        rows = logged(frame, start=1 + night * ROWS, labelled=False).assign(requested_at=NOW + timedelta(days=night))
        if named:
            rows["customer_id"] = [f"c{n}" for n in range(len(rows))]
        store.log = pd.concat([store.log, rows], ignore_index=True) if len(store.log) else rows
        run = run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=NOW + timedelta(days=night, hours=1))
        assert record_run(store, run)
        results.append(RunResult.from_record(store.runs[0]))
    return results


def alarms(results: list[RunResult]) -> list[bool]:
    return [result.covariate_alarm for result in results]


def test_a_base_that_differs_says_so_once_and_is_not_taken_for_calm() -> None:
    off = customers(ROWS, 2, minutes=200)
    first, *others = nights(off, off, off, off)
    assert (first.covariate_alarm, first.moved) == (True, None)
    for result in others:
        assert not result.covariate_alarm
        assert result.drift is not None
        assert "minutes" in {r.feature for r in result.drift.known}
        assert "as was said before" in result.policy.reason
        assert "minutes" in result.policy.reason


def test_people_without_ids_are_new_each_time() -> None:
    off = customers(ROWS, 2, minutes=200)
    assert alarms(nights(off, off, off, named=False)) == [True, True, True]


def test_what_was_said_is_said_again_once_it_has_grown() -> None:
    off = customers(ROWS, 2, minutes=200)
    steps = [off, *(off.assign(minutes=off["minutes"] + by) for by in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10))]
    said = nights(*steps)
    assert said[0].covariate_alarm
    grown = [
        n
        for n, result in enumerate(said)
        if n and result.drift is not None and "minutes" in {r.feature for r in result.drift.news}
    ]
    # Each night's step is too small to be seen; what has come together since the first night is not.
    assert 1 <= len(grown) <= 3
    assert not any(result.moved is not None and result.moved.news for result in said)


def test_a_difference_that_went_away_and_came_back_is_news() -> None:
    calm, off = customers(ROWS, 2), customers(ROWS, 2, plan_share=0.4)
    assert alarms(nights(off, off, calm, calm, off)) == [True, False, True, False, True]


def test_moves_are_told_from_differences_in_plain_words() -> None:
    before = customers(ROWS, 2)
    after = later(before, 2)
    shifted = after.assign(minutes=after["minutes"] + 9)
    _, moved = nights(before, shifted)
    assert moved.moved is not None
    assert [r.feature for r in moved.moved.news] == ["minutes"]
    assert moved.policy.reason.startswith("400 customers moved since they were last seen (minutes)")


def test_who_grows_older_each_month_is_said_once() -> None:
    base = customers(ROWS, 2)
    older = [base.assign(minutes=base["minutes"] + 8 * month) for month in range(5)]
    results = nights(*older)
    news = [bool(r.moved and r.moved.news) for r in results]
    assert news == [False, True, False, False, False]


def test_a_customer_who_comes_a_hundred_times_counts_once() -> None:
    rows = logged(customers(ROWS, 3), labelled=False)
    loud = rows["seq"] > 100
    rows.loc[loud, "customer_id"] = "always the same"
    rows.loc[loud, "minutes"] = 400.0
    run = run_monitor(FakeStore(rows), CONTRACT, make_settings(), "1", REFERENCE, now=NOW)
    assert run.result.drift is not None
    assert (run.result.rows, run.result.drift.rows) == (ROWS, 101)
    assert not run.result.covariate_alarm


def test_the_rate_is_shared_where_customers_come_again() -> None:
    base = customers(ROWS, 2)
    first, second = nights(base, later(base, 2))
    assert first.drift is not None
    assert second.drift is not None
    assert second.moved is not None
    assert first.drift.alpha == 0.005
    assert np.isclose(second.drift.alpha + second.moved.alpha + 0.1 * 0.005, 0.005)
