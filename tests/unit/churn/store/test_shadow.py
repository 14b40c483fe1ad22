"""Answers of challengers, and what came true."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from churn.errors import StoreError
from churn.store.records import EPOCH, NO_LIMIT, Outcome, Prediction
from churn.store.shadow import ShadowRow
from churn.store.store import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def champion(n: int, probability: float, version: str = "1") -> Prediction:
    features = {"total_day_minutes": float(n), "state": None}
    at = NOON + timedelta(seconds=n)
    return Prediction(f"p{n}", None, at, version, probability, 0.5, probability >= 0.5, features)


def challenger(n: int, probability: float, version: str = "2") -> ShadowRow:
    return ShadowRow(f"p{n}", version, probability, probability >= 0.5, NOON)


def test_a_challenger_is_compared_with_who_answered(store: Store) -> None:
    store.write_predictions([champion(0, 0.2), champion(1, 0.4), champion(2, 0.9), champion(3, 0.9)])
    store.write_shadow([challenger(0, 0.1), challenger(1, 0.6), challenger(2, 0.8), challenger(9, 0.5), challenger(3, 0.1, "3")])
    found = store.compare_shadow("2")
    assert found is not None
    assert (found.n, found.labelled, found.brier, found.log_loss_champion) == (3, 0, None, None)
    assert found.mean_difference == pytest.approx((-0.1 + 0.2 - 0.1) / 3)
    assert found.mean_absolute_difference == pytest.approx(0.4 / 3)
    assert found.disagreement_rate == pytest.approx(1 / 3)
    store.write_outcomes([Outcome(n == 2, NOON, f"p{n}") for n in (0, 2, 3)])
    found = store.compare_shadow("2")
    assert found is not None
    assert found.labelled == 2
    assert found.brier == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert found.brier_champion == pytest.approx((0.2**2 + 0.1**2) / 2)
    assert found.log_loss == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)
    assert found.log_loss_champion == pytest.approx(-(math.log(0.8) + math.log(0.9)) / 2)
    assert store.compare_shadow("7") is None


def test_certainty_that_was_wrong_costs_much_but_not_everything(store: Store) -> None:
    store.write_predictions([champion(0, 0.0)])
    store.write_shadow([challenger(0, 1.0)])
    store.write_outcomes([Outcome(True, NOON, "p0")])
    found = store.compare_shadow("2")
    assert found is not None
    assert found.log_loss == pytest.approx(0, abs=1e-9)
    assert found.log_loss_champion == pytest.approx(-math.log(2.220446049250313e-16))


def test_the_same_answer_twice_is_kept_once(store: Store) -> None:
    store.write_predictions([champion(0, 0.2)])
    for probability in (0.1, 0.9):
        store.write_shadow([challenger(0, probability)])
    store.write_shadow([])
    found = store.compare_shadow("2")
    assert found is not None
    assert (found.n, found.mean_difference) == (1, pytest.approx(-0.1))


def test_realized_answers_come_once_in_the_order_in_which_they_were_requested(store: Store) -> None:
    store.write_predictions([*(champion(n, n / 10) for n in range(5)), champion(5, 0.5, "2")])
    store.write_outcomes([Outcome(n == 3, NOON, f"p{n}") for n in (4, 1, 3, 0, 5)])
    since = NOON + timedelta(seconds=1)
    realized = store.realized("1", since=since, after_outcome_seq=0, limit=10)
    assert [(one.churn_probability, one.churned, one.features["total_day_minutes"]) for one in realized] == [
        (0.1, False, 1.0),
        (0.3, True, 3.0),
        (0.4, False, 4.0),
    ]
    assert all(isinstance(one.churned, bool) for one in realized)
    first, later, earliest = realized  # by the order in which their outcomes were received: second, third, first
    assert store.realized("1", since=since, after_outcome_seq=earliest.outcome_seq, limit=10) == [first, later]
    assert store.realized("1", since=since, after_outcome_seq=0, limit=1) == [first]


def test_realized_answers_wait_until_they_are_mature_and_come_once(store: Store) -> None:
    store.write_predictions([champion(n, n / 10) for n in range(5)])
    store.write_outcomes([Outcome(n == 3, NOON, f"p{n}") for n in (4, 1, 3, 0)])
    moments = [NOON + timedelta(seconds=n) for n in range(5)]
    first = store.realized("1", since=NOON, after_outcome_seq=0, limit=10, mature=(EPOCH, moments[1]))
    assert [one.churn_probability for one in first] == [0.0, 0.1]
    after, judged = max(one.outcome_seq for one in first), first[-1].requested_at
    store.write_outcomes([Outcome(False, NOON, "p2")])
    rest = store.realized("1", since=NOON, after_outcome_seq=after, limit=10, mature=(judged, moments[3]))
    assert [one.churn_probability for one in rest] == [0.2, 0.3]
    after, judged = max(after, *(one.outcome_seq for one in rest)), rest[-1].requested_at
    last = store.realized("1", since=NOON, after_outcome_seq=after, limit=10, mature=(judged, NO_LIMIT))
    assert [one.churn_probability for one in last] == [0.4]


def test_a_challenger_is_compared_on_mature_outcomes(store: Store) -> None:
    store.write_predictions([champion(0, 0.2), champion(1, 0.4)])
    store.write_shadow([challenger(0, 0.1), challenger(1, 0.6)])
    store.write_outcomes([Outcome(True, NOON, "p0"), Outcome(False, NOON, "p1")])
    found = store.compare_shadow("2", mature_until=NOON)
    assert found is not None
    assert (found.n, found.labelled, found.brier) == (2, 1, pytest.approx(0.9**2))


@pytest.mark.parametrize(("told", "alone"), [(range(8), True), (range(20), False)])
def test_nobody_is_judged_by_leavers_alone(store: Store, told: range, *, alone: bool) -> None:
    """Six of 20 left; the first are told, six who left and some who stayed. The challenger is too low, the champion too high."""
    store.write_predictions([champion(n, 0.4) for n in range(20)])
    store.write_shadow([challenger(n, 0.3) for n in range(20)])
    store.write_outcomes([Outcome(n < 6, NOON, f"p{n}") for n in told])
    late = NOON + timedelta(days=1)
    found = store.compare_shadow("2", mature_until=late)
    assert found is not None
    assert (found.labelled, found.leavers_only, found.brier is None) == (len(told), alone, alone)
    at_once = store.compare_shadow("2")
    assert at_once is not None
    assert at_once.brier is not None
    assert (at_once.brier < (at_once.brier_champion or 0)) is not alone, "by leavers alone, the better one is the worse one"
    young = store.compare_shadow("2", mature_until=NOON)
    assert young is not None
    assert (young.labelled, young.leavers_only) == (1, False)


def test_an_error_of_writing_never_repeats_what_was_to_be_written(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE shadow_predictions")
    with pytest.raises(StoreError, match="no such table") as caught:
        store.write_shadow([challenger(123456, 0.1)])
    assert "p123456" not in str(caught.value)
    store.close()
