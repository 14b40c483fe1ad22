"""What probation asks the store for: outcomes of mature predictions, each once."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from churn.clock import now
from churn.store.records import EPOCH, Outcome
from churn.store.store import Store
from churn.store.treatment.marks import CONTACT_EFFECT
from service.rollout import comparison_store
from service.rollout.comparison_store import LazyComparisonStore
from tests.unit.churn.store.rows import prediction

DAY = timedelta(days=1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Leavers known after a day, stayers after thirty; asked once a day for the last forty days."""
    address = f"sqlite:///{tmp_path / 'store.db'}"
    store = Store.open(address)
    present = now()
    asked = {n: present - n * DAY for n in range(40)}
    store.write_predictions([prediction(n, requested_at=moment) for n, moment in asked.items()])
    known = {n: moment + DAY * (1 if n % 2 else 30) for n, moment in asked.items()}
    # Received in the future, as the test writes all at once: when it was observed counts.
    store.write_outcomes([Outcome(n % 2 == 1, known[n], prediction_id=f"p{n}") for n in asked if known[n] <= present])
    store.close()
    return address


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge delays as of a moment before the outcomes of this test were written: all at once, they came late, most of them."""
    moment = now() - timedelta(minutes=10)
    monkeypatch.setattr(comparison_store, "now", lambda: moment)


def ask(url: str, maturity_seconds: float | None) -> list[bool]:
    store = LazyComparisonStore(url, maturity_seconds, 0.0, CONTACT_EFFECT)
    try:
        since = now() - 100 * DAY
        found = store.realized("1", since=since, after_outcome_seq=0, mature_until=EPOCH, limit=100)
        return [one.churned for one in found]
    finally:
        store.close()


def test_at_once_most_of_them_left(url: str) -> None:
    assert sum(ask(url, 0.0)) / len(ask(url, 0.0)) > 0.7


def test_mature_ones_are_all_there_is(url: str, before: None) -> None:
    found = ask(url, 30 * 86_400.0)
    # The one that is thirty days old now was not so ten minutes ago.
    assert len(found) == 9
    assert sum(found) == 5


def test_without_a_setting_the_store_tells(url: str, before: None) -> None:
    found = ask(url, None)
    assert 6 <= len(found) <= 10
    assert 0.4 <= sum(found) / len(found) <= 0.6


def test_a_probation_younger_than_its_labels_judges_none_and_asks_for_none(url: str) -> None:
    store = LazyComparisonStore(url, 30 * 86_400.0, 0.0, CONTACT_EFFECT)
    assert store.realized("1", since=now() - DAY, after_outcome_seq=0, mature_until=EPOCH, limit=100) == []
    store.close()


@pytest.mark.parametrize("stayers_told", [4, 60])
def test_while_leavers_alone_are_told_none_judges_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stayers_told: int
) -> None:
    """A fifth leaves, as the model says. If almost nobody else is told, every model with lower probabilities looks worse."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    asked = now() - 40 * DAY
    with closing(Store.open(url)) as store:
        store.write_predictions([prediction(n, requested_at=asked, churn_probability=0.2) for n in range(200)])
        stayed = [n for n in range(200) if n % 5][:stayers_told]
        known = [*range(0, 200, 5), *stayed]
        store.write_outcomes([Outcome(n % 5 == 0, asked + DAY * (30 if n % 5 else 1), f"p{n}") for n in known])
    moment = now() - timedelta(minutes=10)
    monkeypatch.setattr(comparison_store, "now", lambda: moment)
    found = ask(url, 30 * 86_400.0)
    assert (len(found), sum(found)) == ((0, 0) if stayers_told == 4 else (100, 40))
    assert len(ask(url, 0.0)) == 40 + stayers_told, "at once, nobody waits for a whole cohort"
