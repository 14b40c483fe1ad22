from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from churn.errors import StoreError
from churn.store.cohort import Cohort
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
