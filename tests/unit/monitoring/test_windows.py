from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from monitoring.windows import take_window
from tests.unit.monitoring.fakes import CONTRACT, NOW, FakeStore, customers, logged, make_record, make_settings


def take(store, **settings):
    return take_window(store, CONTRACT, "1", make_settings(**settings))


def test_an_empty_log_gives_an_empty_window_at_the_start():
    window = take(FakeStore())
    assert window.is_empty
    assert (window.last_seq, window.last_outcome_seq, window.span) == (0, 0, None)


@pytest.mark.parametrize(("rows", "judged"), [(49, 0), (50, 50)])
def test_predictions_are_judged_from_the_minimum_on(rows, judged):
    window = take(FakeStore(logged(customers(rows, 1), labelled=False)))
    assert (len(window.current), window.last_seq, window.waiting_rows) == (judged, judged, rows - judged)
    assert window.is_empty == (judged == 0)


@pytest.mark.parametrize(("rows", "judged"), [(19, 0), (20, 20)])
def test_outcomes_are_judged_from_their_own_minimum_on(rows, judged):
    window = take(FakeStore(logged(customers(rows, 1))))
    assert (len(window.labelled), window.last_outcome_seq, window.waiting_labelled_rows) == (judged, judged, rows - judged)
    assert window.last_seq == 0
    assert len(window.current) == 0


def test_where_too_few_predictions_are_new_the_answers_are_those_with_outcomes():
    """With predictions that were judged before, and outcomes that came since."""
    store = FakeStore(logged(customers(60, 1)))
    both = take(store)
    assert both.answers is both.current
    store.runs = [make_record(last_seq=60, last_outcome_seq=0)]
    late = take(store)
    assert (len(late.current), len(late.labelled)) == (0, 60)
    assert late.answers is late.labelled
    assert late.threshold == both.threshold is not None


def test_too_few_rows_wait_and_are_judged_with_those_that_come():
    store = FakeStore(logged(customers(130, 1), labelled=False))
    store.runs = [make_record(last_seq=100, last_outcome_seq=7)]
    waiting = take(store)
    assert (waiting.last_seq, waiting.last_outcome_seq, waiting.waiting_rows) == (100, 7, 30)
    store.log = logged(customers(151, 1), labelled=False)
    assert take(store).current["seq"].tolist() == list(range(101, 152))


def test_the_newest_run_of_this_version_is_where_the_window_starts():
    store = FakeStore(logged(customers(200, 1)))
    store.runs = [
        make_record(run_id="r3", model_version="2", last_seq=190, last_outcome_seq=190),
        make_record(run_id="r2", last_seq=120, last_outcome_seq=150, mature_until=NOW),
        make_record(run_id="r1", last_seq=60, last_outcome_seq=60),
    ]
    window = take(store)
    assert window.current["seq"].min() == 121
    assert window.labelled["outcome_seq"].min() == 151


def test_outcomes_that_come_late_are_judged_though_their_predictions_were():
    log = logged(customers(100, 1))
    log["outcome_seq"] = np.arange(100, 0, -1, dtype=float)
    store = FakeStore(log)
    store.runs = [make_record(last_seq=100, last_outcome_seq=70, mature_until=NOW)]
    window = take(store)
    assert window.current.empty
    assert window.labelled["seq"].tolist() == list(range(1, 31))
    assert (window.last_seq, window.last_outcome_seq) == (100, 100)


def test_of_too_many_only_the_newest_are_judged_and_the_rest_is_passed_over():
    window = take(FakeStore(logged(customers(300, 1))), max_window_rows=120)
    assert window.current["seq"].tolist() == list(range(181, 301))
    assert len(window.labelled) == 120
    assert (window.last_seq, window.last_outcome_seq) == (300, 300)


def test_the_span_covers_both_parts():
    store = FakeStore(logged(customers(100, 1)))
    store.runs = [make_record(last_seq=50, last_outcome_seq=0)]
    assert take(store).span == (NOW - timedelta(seconds=1000), NOW - timedelta(seconds=901))
