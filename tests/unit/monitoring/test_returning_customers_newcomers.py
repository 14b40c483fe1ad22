"""Newcomers in a base that comes again: compared with those before them, said once, and never with the reference."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from monitoring.exporter.runs import collect_runs
from monitoring.monitor import record_run, run_monitor
from monitoring.reference import Reference
from monitoring.reports.summary import render_summary
from monitoring.run_result import RunResult
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, logged, make_settings

REFERENCE = Reference.of(customers(1500, seed=1), CONTRACT)
BASE, NEW = 400, 60


def months(*new: pd.DataFrame, named: bool = True, left_out: int = 0, windows: int = 1) -> tuple[FakeStore, list[RunResult]]:
    """Score a base once a month; in each but the first so many come for the first time. Before the last some may be left out.

    One night may be judged in several windows, an hour apart.
    """
    store, results = FakeStore(), []
    base, start = customers(BASE, 2), 1
    for month, others in enumerate((base.iloc[:0], *new)):
        base = pd.concat([base, others], ignore_index=True)
        at = NOW + timedelta(days=30 * (month + (left_out if month == len(new) else 0)))
        rows = logged(base, start=start, labelled=False).assign(requested_at=at)
        if named:
            rows["customer_id"] = [f"c{n}" for n in range(len(rows))]
        start += len(rows)
        for part in range(windows):
            hour = at + timedelta(hours=part)
            asked = rows.iloc[part::windows].assign(requested_at=hour)
            asked["seq"] = np.sort(rows["seq"])[len(rows) * part // windows :][: len(asked)]
            store.log = pd.concat([store.log, asked], ignore_index=True) if len(store.log) else asked
            run = run_monitor(store, CONTRACT, make_settings(), "1", REFERENCE, now=hour + timedelta(minutes=30))
            assert record_run(store, run)
            results.append(RunResult.from_record(store.runs[0]))
    return store, results


def young(seed: int, rows: int = NEW) -> pd.DataFrame:
    """Newcomers as they are, unlike the reference."""
    return customers(rows, seed, minutes=100.0)


def found(results: list[RunResult]) -> list[list[str] | None]:
    return [None if run.newcomers is None else [result.feature for result in run.newcomers.news] for run in results]


def test_newcomers_who_are_unlike_the_reference_are_no_news_if_those_before_were_so_too() -> None:
    _, results = months(*(young(seed) for seed in range(5, 9)))
    # Nobody is new at a base's first sight; the first newcomers are what the next are compared with.
    assert found(results) == [None, None, [], [], []]
    assert results[-1].newcomers is not None
    assert (results[-1].newcomers.rows, results[-1].newcomers.reference_rows) == (NEW, 3 * NEW)


def test_newcomers_of_another_kind_are_found_at_once_and_said_once() -> None:
    launched = [young(seed).assign(plan=1.0) for seed in (7, 8, 9)]
    _, results = months(young(5), young(6), *launched)
    assert found(results) == [None, None, [], ["plan"], [], []]
    said = results[3]
    assert said.covariate_alarm
    assert "60 newcomers are unlike the 120 before them (plan)" in said.policy.reason
    assert said.to_decision().evidence["newcomers"] == ["plan (values)"]
    assert [result.feature for result in said.news].count("plan") >= 1


def test_few_newcomers_wait_for_more() -> None:
    _, results = months(young(5), young(6, 30), young(7, 20), young(8, 30))
    assert found(results) == [None, None, None, [], None]
    assert results[3].newcomers is not None
    assert results[3].newcomers.rows == 50
    assert results[4].cohorts.waiting.rows == 30


def test_newcomers_of_two_months_are_not_compared_with_those_of_one() -> None:
    """Of who came in the month that was left out only who stayed is seen: they are others, and nothing has changed."""
    others = young(7).assign(plan=1.0)
    assert found(months(young(5), young(6), others)[1])[-1] == ["plan"]
    assert found(months(young(5), young(6), others, left_out=1)[1]) == [None, None, [], None]


def test_newcomers_of_a_night_that_is_judged_in_two_windows_are_compared_with_those_of_the_month_before() -> None:
    launched = young(7, 2 * NEW).assign(plan=1.0)
    _, results = months(young(5, 2 * NEW), young(6, 2 * NEW), launched, windows=2)
    assert found(results)[:2] == [None, None]
    assert found(results)[2:] == [None, [], [], [], ["plan"], []]


def test_people_without_ids_are_no_newcomers() -> None:
    _, results = months(young(5), young(6), young(7), named=False)
    assert found(results) == [None, None, None, None]


def test_a_window_of_mostly_new_people_is_no_base_with_newcomers() -> None:
    _, results = months(young(5), young(6), young(7, 1000))
    assert found(results) == [None, None, [], None]
    assert results[-1].cohorts == results[-2].cohorts


def test_newcomers_share_the_rate_where_they_are_judged() -> None:
    _, results = months(young(5), young(6))
    for run, judged in zip(results[1:], (False, True), strict=True):
        assert run.drift is not None
        assert run.moved is not None
        assert np.isclose(run.drift.alpha, (0.4 if judged else 0.5) * 0.005)
        own = 0.0 if run.newcomers is None else run.newcomers.alpha
        assert np.isclose(run.drift.alpha + run.moved.alpha + own + 0.1 * 0.005, 0.005)


def test_page_and_metrics_say_it() -> None:
    store, results = months(young(5), young(6), young(7).assign(plan=1.0))
    page = render_summary(results[-1], results[-2::-1], false_alarm_rate=0.01)
    assert "How newcomers differ from those before them" in page
    assert "How newcomers differ" not in render_summary(results[1], results[:1], false_alarm_rate=0.01)
    assert "60 who came for the first time are like the 60 before them" in render_summary(results[2], [], false_alarm_rate=0.01)
    alarms = {
        sample.labels["kind"]: sample.value
        for metric in collect_runs(store, None)
        if metric.name == "churn_drift_alarm"
        for sample in metric.samples
    }
    assert alarms["newcomers"] == 1
