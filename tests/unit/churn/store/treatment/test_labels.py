"""What may be learned from: the marks of outcomes, and that every reader of labels goes by them, on both databases."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from churn.contract import Contract
from churn.store.contacts.records import Contact
from churn.store.predictions.window_reader import WindowReader
from churn.store.records import EPOCH, Outcome
from churn.store.shadow import ShadowRow
from churn.store.store import Store
from churn.store.treatment.labels import selection_of
from tests.unit.churn.store.rows import NOON, prediction

DAY = timedelta(days=1)
# 0 to 59 are named, and the last six of these held out; 60 to 99 are not named.
NAMED, HELD_OUT, ALL = 60, range(54, 60), 100


def fill(store: Store) -> None:
    """A month's base, whose outcomes are known after thirty days."""
    rows = [
        prediction(n, churn=n < NAMED, held_out=n in HELD_OUT, churn_probability=0.9 if n < NAMED else 0.1) for n in range(ALL)
    ]
    store.write_predictions(rows)
    store.write_outcomes([Outcome(n % 2 == 0, NOON + 30 * DAY, f"p{n}") for n in range(ALL)])


def call(store: Store, *numbers: int, at: timedelta = DAY, campaign: str = "may") -> None:
    store.write_contacts([Contact(NOON + at, customer_id=f"c{n}", campaign=campaign) for n in numbers])


def weights(store: Store, **settings: timedelta) -> np.ndarray | None:
    rows = store.read_outcomes("1", after_outcome_seq=0, newest=1_000, **settings)
    return rows["weight"].to_numpy() if "weight" in rows else None


def test_without_contacts_the_frames_are_as_they_were(store: Store, contract: Contract) -> None:
    fill(store)
    before = store.read_outcomes("1", after_outcome_seq=0, newest=1_000)
    store.write_contacts([Contact(NOON, customer_id="c1", opt_out=True)])
    assert store.read_outcomes("1", after_outcome_seq=0, newest=1_000).equals(before)
    call(store, 1, at=31 * DAY)
    assert store.read_outcomes("1", after_outcome_seq=0, newest=1_000).equals(before), "after its outcome"
    assert "weight" not in store.read_predictions(contract, after_outcome_seq=0)


def test_the_control_group_stands_for_all_whom_the_model_named(store: Store, contract: Contract) -> None:
    fill(store)
    call(store, *range(50))
    rows = store.read_outcomes("1", after_outcome_seq=0, newest=1_000)
    expected = [0.0] * 54 + [10.0] * 6 + [1.0] * 40
    assert rows["weight"].tolist() == expected
    assert rows["churned"].isna().tolist() == [weight == 0 for weight in expected]
    trained = store.read_predictions(contract, after_outcome_seq=0)
    assert trained["weight"].tolist() == expected
    assert trained["churned"].isna().tolist() == rows["churned"].isna().tolist()
    found = selection_of(rows)
    assert found is not None
    assert found.report() == {
        "acted_on": 50,
        "leaked": 0,
        "aside": 4,
        "standing": 6,
        "unknown": 0,
        "effective_rows": pytest.approx(100**2 / (600 + 40), abs=0.1),
    }


@pytest.mark.parametrize(
    ("at", "effect", "counts"),
    [
        (timedelta(0), 90, True),
        (-89 * DAY, 90, True),  # before the prediction, and still in effect
        (-91 * DAY, 90, False),
        (-8 * DAY, 7, False),
        (30 * DAY, 90, True),
        (30 * DAY + timedelta(seconds=1), 90, False),  # the outcome had been observed
    ],
)
def test_a_contact_counts_while_it_is_in_effect_between_prediction_and_outcome(
    store: Store, at: timedelta, effect: int, counts: bool
) -> None:
    fill(store)
    call(store, 0, at=at)
    assert (weights(store, contact_effect=timedelta(days=effect)) is not None) is counts


def test_twice_and_by_two_campaigns_is_as_once(store: Store) -> None:
    fill(store)
    call(store, *range(54))
    once = weights(store)
    call(store, *range(54))
    call(store, *range(20), at=2 * DAY, campaign="june")
    assert once is not None
    np.testing.assert_array_equal(weights(store), once)


def test_a_contacted_customer_of_the_control_group_counts_as_contacted(store: Store) -> None:
    fill(store)
    call(store, *range(54), 54)
    found = weights(store)
    assert found is not None
    assert (found[54], found[55]) == (0.0, 12.0)


def test_contacts_that_come_after_their_outcomes_correct_what_is_read_next(store: Store) -> None:
    fill(store)
    assert weights(store) is None
    call(store, *range(54))
    found = weights(store)
    assert found is not None
    assert found[0] == 0


def test_a_budget_sets_aside_only_the_scores_that_it_reached(store: Store) -> None:
    rows = [prediction(n, churn=True, held_out=n % 10 == 0, churn_probability=0.5 + n / 1000) for n in range(200)]
    store.write_predictions(rows)
    store.write_outcomes([Outcome(False, NOON + 30 * DAY, f"p{n}") for n in range(200)])
    call(store, *(n for n in range(160, 200) if n % 10))
    found = weights(store)
    assert found is not None
    assert found[:160].tolist() == [1.0] * 160
    assert found[160:].tolist() == [10.0 if n % 10 == 0 else 0.0 for n in range(160, 200)]


def test_a_later_prediction_is_acted_on_by_an_earlier_contact_and_the_control_group_stands_for_it(store: Store) -> None:
    """In the second month nobody is named, but the calls of the first are in effect."""
    fill(store)
    call(store, *range(54))
    later = [prediction(1000 + n, customer_id=f"c{n}", churn=False, requested_at=NOON + 31 * DAY) for n in range(ALL)]
    store.write_predictions(later)
    store.write_outcomes([Outcome(False, NOON + 61 * DAY, f"p{1000 + n}") for n in range(ALL)])
    found = weights(store)
    assert found is not None
    assert found[ALL:].tolist() == [0.0] * 54 + [10.0] * 6 + [1.0] * 40


def test_without_a_control_group_nothing_is_known_of_the_named_nor_for_whom_the_others_stand(store: Store) -> None:
    store.write_predictions([prediction(n, churn=n < NAMED) for n in range(ALL)])
    store.write_outcomes([Outcome(False, NOON + 30 * DAY, f"p{n}") for n in range(ALL)])
    call(store, *range(50))
    rows = store.read_outcomes("1", after_outcome_seq=0, newest=1_000)
    assert rows["weight"].iloc[:NAMED].tolist() == [0.0] * NAMED
    assert rows["weight"].iloc[NAMED:].isna().all()
    assert rows["churned"].iloc[NAMED:].notna().all(), "what they do is known all the same"
    found = selection_of(rows)
    assert found is not None
    assert found.blind
    assert "set CHURN_CONTROL_SHARE" in str(found)


def test_customers_without_an_id_are_acted_on_by_prediction_and_never_held_out(store: Store) -> None:
    store.write_predictions(
        [prediction(n, customer_id=None, churn=n < 30, churn_probability=0.9 if n < 30 else 0.1) for n in range(60)]
    )
    store.write_predictions([prediction(n, churn=True, held_out=True, churn_probability=0.9) for n in range(100, 105)])
    store.write_outcomes([Outcome(False, NOON + 30 * DAY, f"p{n}") for n in (*range(60), *range(100, 105))])
    store.write_contacts([Contact(NOON + DAY, prediction_id=f"p{n}", campaign="may") for n in range(20)])
    found = weights(store)
    assert found is not None
    assert found.tolist() == [0.0] * 30 + [1.0] * 30 + [7.0] * 5


def test_a_share_that_changes_weighs_each_month_by_its_own(store: Store) -> None:
    for month, step in ((0, 10), (1, 4)):
        first = month * 1_000
        at = NOON + 40 * month * DAY
        store.write_predictions([prediction(first + n, churn=True, held_out=n % step == 0, requested_at=at) for n in range(100)])
        store.write_outcomes([Outcome(False, at + 20 * DAY, f"p{first + n}") for n in range(100)])
        call(store, *(first + n for n in range(100) if n % step), at=at - NOON + DAY)
    found = weights(store)
    assert found is not None
    assert set(found[:100].tolist()) == {0.0, 10.0}
    assert set(found[100:].tolist()) == {0.0, 4.0}


def test_a_probation_is_told_of_customers_nobody_named_and_of_the_control_group(store: Store) -> None:
    fill(store)
    settings = {"since": EPOCH, "after_outcome_seq": 0, "limit": 1_000}
    assert len(store.realized("1", **settings)) == ALL
    call(store, 0)
    assert store.realized("1", **settings) == [], "nobody stands for the named"
    found = store.realized("1", **settings, control_share=0.1)
    assert [one.customer_id for one in found] == [f"c{n}" for n in (*HELD_OUT, *range(NAMED, ALL))]
    assert [one.weight for one in found] == [1.0] * 6 + [0.1] * 40
    first = store.realized("1", **(settings | {"limit": 5}), control_share=0.1)
    assert first == found[:5], "however many are passed over"


def test_a_challenger_is_compared_on_what_may_be_learned_from(store: Store) -> None:
    """It says .5 to the named, where the champion says .9; half of them leave."""
    fill(store)
    store.write_shadow([ShadowRow(f"p{n}", "8", 0.5 if n < NAMED else 0.1, n < NAMED, NOON) for n in range(ALL)])
    before = store.compare_shadow("8")
    assert before is not None
    call(store, *range(54))
    after = store.compare_shadow("8")
    assert after is not None
    assert (before.labelled, after.labelled) == (100, 46)
    assert after.brier == pytest.approx(before.brier), "the control group stands for the others"
    assert after.log_loss_champion == pytest.approx(before.log_loss_champion)


def test_an_index_finds_the_contacts_and_predictions_of_each_outcome(tmp_path: Path) -> None:
    """In SQLite, that is: PostgreSQL plans by what the tables hold."""
    import sqlalchemy as sa

    from churn.store.treatment.marks import mark_columns

    with closing(Store.open(f"sqlite:///{tmp_path / 'store.db'}")) as store, store.engine.connect() as connection:
        query = sa.select(*mark_columns("sqlite", DAY)).compile(store.engine, compile_kwargs={"literal_binds": False})
        values = tuple(query.params[n] for n in query.positiontup or ())
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values)]
    assert not [line for line in plan if line.startswith("SCAN") and "outcomes" not in line], plan


def test_rows_of_an_unlabelled_read_keep_their_nan(store: Store, contract: Contract) -> None:
    fill(store)
    store.write_predictions([prediction(500, requested_at=NOON + 40 * DAY)])
    call(store, *range(54))
    rows = store.read_predictions(contract)
    assert rows["churned"].isna().sum() == 54 + 1
    assert WindowReader(store.engine).find_span("1", after_seq=0, newest=1_000).rows == ALL + 1
