"""The traffic that training and the gate learn from: only mature predictions, with what was left out said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from churn.contract import Contract
from churn.lifecycle.mature_traffic import MatureTraffic, read_mature_traffic
from churn.store.cohort import Cohort
from churn.store.contacts.records import Contact
from churn.store.maturity import Maturity
from churn.store.records import Outcome
from churn.store.store import Store
from churn.store.treatment.selection import Selection
from tests.unit.churn.store.rows import NOON, prediction

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = NOON + 30 * DAY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


def fill(store: Store, *, named: int = 0) -> None:
    """Twenty predictions, a day apart; the odd ones have an outcome. The first so many are named, every second held out."""
    store.write_predictions(
        [prediction(n, requested_at=NOON + n * DAY, churn=n < named, held_out=n < named and n % 2 == 1) for n in range(20)]
    )
    store.write_outcomes([Outcome(n % 4 == 1, NOON + n * DAY + HOUR, f"p{n}") for n in range(1, 20, 2)])


def test_predictions_that_are_younger_than_the_setting_are_left_out_and_the_sentence_says_what_is_unknown(
    store: Store, contract: Contract
) -> None:
    fill(store)
    found = read_mature_traffic(store, contract, 15.5 * 86_400, newest=1_000, now=NOW)
    assert found.until == NOW - 15.5 * DAY
    assert found.rows["prediction_id"].tolist() == [f"p{n}" for n in range(1, 15, 2)]
    assert (found.cohort.labelled, found.cohort.unknown) == (7, 6), "of those between the first and the last"
    assert str(found.cohort) in str(found)
    assert found.selection is None
    assert not found.doubtful


def test_the_newest_are_kept(store: Store, contract: Contract) -> None:
    fill(store)
    found = read_mature_traffic(store, contract, 86_400.0, newest=3, now=NOW)
    assert found.rows["prediction_id"].tolist() == ["p15", "p17", "p19"]
    assert (found.cohort.predictions, found.cohort.labelled) == (5, 3)


@pytest.mark.parametrize("setting", [None, 100 * 86_400.0])
def test_without_mature_outcomes_there_is_nothing_to_learn_from(store: Store, contract: Contract, setting: float | None) -> None:
    if setting is not None:
        fill(store)
    found = read_mature_traffic(store, contract, setting, newest=1_000, now=NOW)
    assert found.rows.empty
    assert found.report()["predictions"] == 0
    assert str(found) == found.maturity.reason


def test_who_was_acted_on_is_set_aside_while_the_contact_is_in_effect(store: Store, contract: Contract) -> None:
    fill(store, named=20)
    store.write_contacts([Contact(NOON, customer_id=f"c{n}", campaign="may") for n in range(1, 20, 4)])
    found = read_mature_traffic(store, contract, 0.0, newest=1_000, now=NOW)
    assert found.selection is not None
    assert found.report() | found.selection.report() == found.report()
    assert found.report()["acted_on"] == 5
    assert str(found.selection) in str(found)
    shorter = read_mature_traffic(store, contract, 0.0, newest=1_000, now=NOW, contact_effect=10 * DAY)
    assert shorter.report()["acted_on"] == 3, "the contact of the first day reaches predictions 1, 5 and 9"


def test_where_only_leavers_are_told_nothing_is_learned(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n, requested_at=NOON + n * HOUR) for n in range(20)])
    store.write_outcomes([Outcome(n != 3, NOON + n * HOUR + DAY, f"p{n}") for n in range(0, 20, 3)])
    found = read_mature_traffic(store, contract, 2 * 86_400.0, newest=1_000, now=NOW)
    assert (len(found.rows), found.cohort.labelled, found.leavers_only, found.doubtful) == (0, 7, True, True)
    assert "report those who stayed too" in str(found)
    at_once = read_mature_traffic(store, contract, 0.0, newest=1_000, now=NOW)
    assert (len(at_once.rows), at_once.leavers_only) == (7, False), "nobody asked for a whole cohort"


def test_the_newest_weeks_of_leavers_alone_do_not_tell_the_gate_that_most_leave(store: Store, contract: Contract) -> None:
    """Ten weeks of which all is known, and two of which who left is: a tenth of all unknown, but most of what the gate sees."""
    asked = {n: NOON + n // 150 * 7 * DAY for n in range(1_800)}
    store.write_predictions([prediction(n, requested_at=at, churn_probability=0.2) for n, at in asked.items()])
    known = [n for n in asked if n < 1_500 or n % 5 in {0, 1}]
    store.write_outcomes([Outcome(n % 5 == 0 or n >= 1_500, asked[n] + DAY, f"p{n}") for n in known])
    later = NOON + 200 * DAY
    found = read_mature_traffic(store, contract, 2 * 86_400.0, newest=10_000, now=later)
    assert (len(found.rows), found.rows["churned"].mean(), found.aside) == (1_500, 0.2, 120)
    assert (found.leavers_only, found.doubtful) == (False, True)
    assert "120 outcomes of weeks of which leavers alone seem to be told are left aside" in str(found)
    assert len(read_mature_traffic(store, contract, 0.0, newest=10_000, now=later).rows) == 1_620


@pytest.mark.parametrize(
    ("too_short", "blind", "doubtful"),
    [(False, None, False), (True, None, True), (False, False, False), (False, True, True), (True, False, True)],
)
def test_somebody_should_look_where_labels_count_too_early_or_nobody_stands_for_the_contacted(
    contract: Contract, too_short: bool, blind: bool | None, doubtful: bool
) -> None:
    class Blind(Selection):
        @property
        def blind(self) -> bool:
            return bool(blind)

    selection = None if blind is None else Blind.__new__(Blind)
    traffic = MatureTraffic(
        rows=None,  # type: ignore[arg-type]
        maturity=Maturity(1.0, "a day", too_short),
        cohort=Cohort(),
        until=NOW,
        selection=selection,
    )
    assert traffic.doubtful is doubtful
