"""Delays of outcomes, as the store has them; cohorts with outcomes and without."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from churn.clock import now
from churn.contract import Contract
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.store.outcomes import delays as outcome_delays
from churn.store.records import Outcome
from churn.store.store import Store
from churn.store.tables import outcomes
from tests.unit.churn.store.rows import NOON, prediction

DAY = timedelta(days=1)
LATER = datetime(2026, 9, 1, tzinfo=UTC)


def come_true(store: Store, *, rows: int = 60, every: int = 6, left_after: float = 1, stayed_after: float = 30) -> None:
    """Each sixth customer leaves; asked once an hour."""
    asked = [NOON + timedelta(hours=n) for n in range(rows)]
    store.write_predictions([prediction(n, requested_at=moment) for n, moment in enumerate(asked)])
    store.write_outcomes(
        [
            Outcome(n % every == 0, moment + DAY * (stayed_after if n % every else left_after), prediction_id=f"p{n}")
            for n, moment in enumerate(asked)
        ]
    )


def received(store: Store, n: int, moment: datetime) -> None:
    with store.engine.begin() as connection:
        connection.execute(sa.update(outcomes).where(outcomes.c.prediction_id == f"p{n}").values(received_at=moment))


def test_delays_are_those_of_each_class_in_order(store: Store) -> None:
    come_true(store, rows=12)
    found = store.outcome_delays(NOON + 40 * DAY)
    assert found.left.tolist() == [86_400.0] * 2
    assert found.stayed.tolist() == [30 * 86_400.0] * 10
    assert found.history == 40 * 86_400.0


def test_an_outcome_is_known_once_it_was_observed_and_received(store: Store) -> None:
    come_true(store, rows=2, every=2)
    received(store, 0, NOON + 3 * DAY)
    received(store, 1, NOON + 5 * DAY)  # before it was observed, by another clock
    found = store.outcome_delays(NOON + 40 * DAY)
    assert (found.left.tolist(), found.stayed.tolist()) == ([3 * 86_400.0], [30 * 86_400.0])


def test_what_was_received_in_the_future_counts_when_it_was_observed(store: Store) -> None:
    come_true(store, rows=1)
    received(store, 0, LATER)
    assert store.outcome_delays(LATER - DAY).left.tolist() == [86_400.0]
    assert store.outcome_delays(LATER).left.tolist() == [(LATER - NOON).total_seconds()]


def test_an_outcome_observed_before_its_prediction_has_no_delay(store: Store) -> None:
    come_true(store, rows=1, left_after=-2)
    received(store, 0, NOON - DAY)
    assert store.outcome_delays(NOON + DAY).left.tolist() == [0.0]


def test_of_many_outcomes_a_sample_over_all_of_them_is_read_the_same_each_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome_delays, "PROBES", 150)
    monkeypatch.setattr(outcome_delays, "MIN_FOUND", 50)
    come_true(store, rows=600)
    with store.engine.begin() as connection:  # of the newest, all are of customers who stayed
        connection.execute(
            sa.update(outcomes).where(outcomes.c.requested_at >= NOON + timedelta(hours=300)).values(churned=False)
        )
    found = store.outcome_delays(NOON + 90 * DAY)
    assert 100 < len(found.left) + len(found.stayed) <= 150
    assert len(found.left) > 5
    np.testing.assert_array_equal(store.outcome_delays(NOON + 90 * DAY).stayed, found.stayed)


def test_where_few_numbers_exist_the_newest_rows_are_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome_delays, "PROBES", 20)
    come_true(store, rows=60)
    found = store.outcome_delays(NOON + 90 * DAY)
    assert len(found.left) + len(found.stayed) == 20


def test_training_reads_what_is_mature_and_says_what_is_unknown(store: Store, contract: Contract) -> None:
    come_true(store, rows=480)
    with store.engine.begin() as connection:  # every tenth was never reported
        connection.execute(sa.delete(outcomes).where(outcomes.c.prediction_seq % 10 == 0))
    present = NOON + 40 * DAY
    traffic = read_mature_traffic(store, contract, None, newest=1000, now=present)
    assert traffic.maturity.seconds == pytest.approx(31.5 * 86_400)
    assert traffic.rows["requested_at"].max() <= present - timedelta(days=31.5)
    assert len(traffic.rows) == 205 - 20
    assert traffic.cohort == (205, 185)
    assert "20 of 205 mature predictions (9.8%) have no outcome" in str(traffic)
    assert traffic.report()["unknown"] == 20
    newest = read_mature_traffic(store, contract, None, newest=50, now=present).rows
    assert newest["prediction_id"].tolist() == traffic.rows["prediction_id"].tolist()[-50:]


def test_leavers_alone_teach_nothing(store: Store, contract: Contract) -> None:
    come_true(store, rows=60, every=1)
    traffic = read_mature_traffic(store, contract, None, newest=1000, now=now())
    assert traffic.rows.empty
    assert traffic.report()["maturity_seconds"] is None
    assert len(read_mature_traffic(store, contract, 0.0, newest=1000, now=now()).rows) == 60
