from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from churn.errors import StoreError
from churn.store.cohort import Cohort, told_of_leavers, whole_weeks
from churn.store.records import EPOCH
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, outcome, prediction

BEGIN, END = NOON + timedelta(seconds=2), NOON + timedelta(seconds=5)


@pytest.fixture
def filled(store: Store) -> Store:
    """Predictions 1 to 6, of which 2, 3, 5 and 6 have an outcome; 5 and 6 are of another model."""
    store.write_predictions([prediction(n, model_version="1" if n < 5 else "2") for n in range(1, 7)])
    store.write_outcomes([outcome(f"p{n}") for n in (2, 3, 5, 6)])
    return store


def test_both_bounds_belong_to_the_cohort(filled: Store) -> None:
    assert filled.count_cohort(seqs=(2, 5), times=(BEGIN, END)) == Cohort(4, 3)
    assert filled.count_cohort(seqs=(3, 3), times=(END, END)) == Cohort(1, 1)


def test_one_model_s_answers_alone(filled: Store) -> None:
    assert filled.count_cohort(seqs=(2, 5), times=(BEGIN, END), model_version="1") == Cohort(3, 2)
    assert filled.count_cohort(seqs=(2, 5), times=(BEGIN, END), model_version="2") == Cohort(1, 1)
    assert filled.count_cohort(seqs=(2, 5), times=(BEGIN, END), model_version="3") == Cohort()


def test_there_are_never_fewer_predictions_than_outcomes(filled: Store) -> None:
    # What reached the store out of order may be within one of the bounds only.
    assert filled.count_cohort(seqs=(2, 2), times=(NOON, END + timedelta(hours=1))) == Cohort(4, 4)


def test_a_store_that_is_away_is_an_error_of_the_store(filled: Store) -> None:
    with filled.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE outcomes")
    with pytest.raises(StoreError, match="no such table"):
        filled.count_cohort(seqs=(2, 5), times=(BEGIN, END))


def test_what_is_not_known_is_said_with_its_share() -> None:
    assert Cohort(4_000, 2_999).unknown == 1_001
    assert str(Cohort(4_000, 2_999)) == "1,001 of 4,000 mature predictions (25.0%) have no outcome, and are left aside"
    assert str(Cohort()) == "0 of 0 mature predictions (0.0%) have no outcome, and are left aside"


@pytest.mark.parametrize(
    ("labelled", "left", "said", "told_of_leavers"),
    [
        (160, 0.9, 0.5, True),
        (160, 0.9, 0.85, False),  # of named customers alone outcomes are known: they leave as was said
        (160, 0.45, 0.1, False),  # the churn rate rose
        (600, 0.9, 0.5, False),  # more than half is known
        (0, 0.0, 0.5, False),
    ],
)
def test_outcomes_of_leavers_alone_are_known_by_what_is_missing(
    labelled: int, left: float, said: float, told_of_leavers: bool
) -> None:
    outcomes = np.where(np.arange(labelled) < left * labelled, 1.0, 0.0)
    assert Cohort(1_000, labelled).told_of_leavers(outcomes, np.full(labelled, said)) is told_of_leavers
    aside = np.concatenate([outcomes, np.full(50, np.nan)])
    assert Cohort(1_000, labelled).told_of_leavers(aside, np.full(labelled + 50, said)) is told_of_leavers


@pytest.mark.parametrize(("stayers_told", "alone"), [(2, True), (30, False)])
def test_the_store_tells_the_same_of_one_model_s_answers_of_a_time(store: Store, stayers_told: int, *, alone: bool) -> None:
    """Of 40 predictions ten customers left; of those who stayed some are told. Of another model, and before, all stayed."""
    rows = [prediction(n, churn_probability=0.25, model_version="2" if n >= 60 else "1") for n in range(100)]
    store.write_predictions(rows)
    gone, stayed = range(20, 60, 4), [n for n in range(20, 60) if n % 4]
    told = [*range(20), *gone, *stayed[:stayers_told], *range(60, 100)]
    store.write_outcomes([outcome(f"p{n}", churned=n in gone) for n in told])
    times = rows[20].requested_at, rows[59].requested_at
    left = np.where(np.arange(10 + stayers_told) < 10, 1.0, 0.0)
    assert Cohort(40, 10 + stayers_told).told_of_leavers(left, np.full(len(left), 0.25)) is alone
    assert store.seems_of_leavers("1", times) is alone
    assert not store.seems_of_leavers("1", (rows[0].requested_at, times[1]))
    assert not store.seems_of_leavers("2", times)


def told_by_week(stayers_told: list[float]) -> tuple[pd.DataFrame, np.ndarray]:
    """Of 300 predictions a week a fifth left, as was said; of those who stayed a share is told. Also which week each is of."""
    number = np.arange(300 * len(stayers_told))
    week, left = number // 300, number % 5 == 0
    told = left | (number % 300 < 300 * np.array(stayers_told)[week])
    asked = pd.Series(pd.Timestamp(EPOCH) + pd.to_timedelta((2_900 + week) * 7 * 24 * 60 + number % 300 * 30, unit="min"))
    rows = pd.DataFrame({"seq": number, "requested_at": asked, "churn_probability": 0.2, "churned": left.astype(float)})
    return rows[told].reset_index(drop=True), week[told]


def counted(*, seqs: tuple[int, int], times: tuple[datetime, datetime]) -> Cohort:
    """Each number is a prediction; how many have an outcome is said too low, as only what a week lacks is asked for."""
    assert times[0] <= times[1]
    return Cohort(seqs[1] - seqs[0] + 1, 60)


@pytest.mark.parametrize(
    ("stayers_told", "of_leavers", "passed_over", "wait"),
    [
        ([1, 1, 1], [], [], []),
        ([0, 0, 0], [0, 1, 2], [], []),
        ([1, 1, 0], [2], [], [2]),
        ([0.05, 1, 1], [0], [0], []),
        ([1, 0, 1, 0, 0.1], [1, 3, 4], [1], [3, 4]),
    ],
)
def test_weeks_of_leavers_alone_do_not_hide_among_the_others(
    stayers_told: list[float], of_leavers: list[int], passed_over: list[int], wait: list[int]
) -> None:
    rows, week = told_by_week(stayers_told)
    found = told_of_leavers(rows, counted)
    assert found.tolist() == np.isin(week, of_leavers).tolist()
    kept, past, later = whole_weeks(rows, counted)
    assert len(kept) + past + later == len(rows)
    assert (past, later) == (np.isin(week, passed_over).sum(), np.isin(week, wait).sum())
    assert not wait or kept["requested_at"].max() < rows["requested_at"][week == wait[0]].min()


def test_few_outcomes_are_looked_at_together_and_nothing_is_counted_where_few_left() -> None:
    rows, week = told_by_week([1, 1])
    asked: list[tuple[int, int]] = []

    def count(*, seqs: tuple[int, int], times: tuple[datetime, datetime]) -> Cohort:
        asked.append(seqs)
        return counted(seqs=seqs, times=times)

    assert not told_of_leavers(rows, count).any()
    assert not asked
    # Ten outcomes of leavers in a week of their own are too few to be told apart from the week before.
    few = rows[(week == 0) | ((rows["churned"] == 1) & (rows["seq"] < 350))].reset_index(drop=True)
    assert not told_of_leavers(few, count).any()
    assert not asked
    assert not told_of_leavers(rows.iloc[:0], count).any()
