"""Outcomes that were wrong: corrected or withdrawn, in whatever order that arrives, and what was said before is kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import permutations, product
from threading import Barrier

import pytest
import sqlalchemy as sa

from churn.contract import Contract
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.store.erasure import erase_customer
from churn.store.outcomes.corrections import Correction
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.retention import prune
from churn.store.store import Store
from churn.store.tables import outcome_corrections
from tests.unit.churn.store.rows import NOON, OBSERVED, monitor_run, outcome, prediction

DAY = timedelta(days=1)


def corrects(prediction_id: str, churned: bool, days: float = 1) -> Outcome:
    return Outcome(churned, OBSERVED + days * DAY, prediction_id=prediction_id, corrects=True)


def withdraws(prediction_id: str, days: float = 1) -> Outcome:
    return Outcome(False, OBSERVED + days * DAY, prediction_id=prediction_id, withdrawn=True)


def truth(store: Store, contract: Contract) -> dict[str, float]:
    known = store.read_predictions(contract, after_outcome_seq=0)
    return dict(zip(known["prediction_id"], known["churned"], strict=True))


def counts(receipt: OutcomeReceipt) -> tuple[int, int, int, list[int], list[int]]:
    return (receipt.accepted, receipt.duplicates, receipt.corrected, receipt.unknown, receipt.conflicting)


def test_a_correction_takes_the_place_of_what_was_wrong_and_both_are_kept(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    store.write_outcomes([outcome("p1"), outcome("p2")])
    assert counts(store.write_outcomes([corrects("p1", False)])) == (0, 0, 1, [], [])
    assert truth(store, contract) == {"p1": 0.0, "p2": 1.0}
    (kept,) = store.outcome_corrections()
    assert kept == Correction(
        *("p1", "1", kept.outcome_seq, False, OBSERVED + DAY, kept.received_at, True, OBSERVED, kept.received_at_before)
    )
    assert kept.received_at_before is not None
    assert kept.received_at_before <= kept.received_at
    assert store.outcome_corrections(prediction_id="p2") == []


def test_a_withdrawn_outcome_is_unknown_again_and_an_old_list_does_not_bring_it_back(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1)])
    store.write_outcomes([outcome("p1")])
    assert counts(store.write_outcomes([withdraws("p1")])) == (0, 0, 1, [], [])
    assert truth(store, contract) == {}
    assert counts(store.write_outcomes([outcome("p1"), outcome("p1", churned=False)])) == (0, 0, 0, [], [0, 1])
    assert truth(store, contract) == {}
    assert store.count_outcomes() == 1
    assert counts(store.write_outcomes([corrects("p1", False, days=2)])) == (0, 0, 1, [], [])
    assert truth(store, contract) == {"p1": 0.0}
    assert [one.churned for one in store.outcome_corrections(prediction_id="p1")] == [False, None]


def test_the_same_correction_again_changes_nothing(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    store.write_outcomes([outcome("p1"), outcome("p2")])
    said = [corrects("p1", False), withdraws("p2")]
    first, again = store.write_outcomes(said), store.write_outcomes([*said, *said])
    assert (counts(first), counts(again)) == ((0, 0, 2, [], []), (0, 4, 0, [], []))
    assert len(store.outcome_corrections()) == 2
    assert truth(store, contract) == {"p1": 0.0}


def test_a_correction_observed_no_later_is_refused_as_conflicting(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1)])
    store.write_outcomes([outcome("p1")])
    assert counts(store.write_outcomes([corrects("p1", False, days=0), corrects("p1", False, days=-1)])) == (0, 0, 0, [], [0, 1])
    assert truth(store, contract) == {"p1": 1.0}


def test_a_correction_of_nobody_is_unknown_and_one_of_nothing_is_an_outcome(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    said = [corrects("nobody", True), withdraws("nobody"), corrects("p1", True), withdraws("p2")]
    assert counts(store.write_outcomes(said)) == (1, 0, 1, [0, 1], [])
    assert truth(store, contract) == {"p1": 1.0}
    # What it corrects arrives later, and does not win.
    assert counts(store.write_outcomes([outcome("p1", churned=False), outcome("p2")])) == (0, 0, 0, [], [0, 1])
    assert truth(store, contract) == {"p1": 1.0}


def test_without_saying_so_nothing_is_corrected(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1)])
    store.write_outcomes([outcome("p1")])
    later = Outcome(False, OBSERVED + DAY, prediction_id="p1")
    assert counts(store.write_outcomes([later])) == (0, 0, 0, [], [0])
    assert truth(store, contract) == {"p1": 1.0}
    assert store.outcome_corrections() == []


def test_an_outcome_and_its_correction_in_one_list_end_as_corrected(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1)])
    assert counts(store.write_outcomes([corrects("p1", False), outcome("p1")])) == (1, 0, 1, [], [])
    assert truth(store, contract) == {"p1": 0.0}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_one_list_each_correction_counts_in_the_order_of_what_was_observed(store: Store, order: tuple[int, ...]) -> None:
    """Else the truth is the same, but one that came before a later one in the list is refused, and is not kept."""
    store.write_predictions([prediction(1)])
    said = [outcome("p1"), corrects("p1", False, days=1), withdraws("p1", days=2)]
    assert counts(store.write_outcomes([said[place] for place in order])) == (1, 0, 2, [], [])
    assert [one.churned for one in store.outcome_corrections(prediction_id="p1")] == [None, False]


STATEMENTS: list[Callable[[float], Outcome]] = [
    lambda days: corrects("p1", True, days),
    lambda days: corrects("p1", False, days),
    lambda days: withdraws("p1", days),
]


@pytest.mark.parametrize("count", [1, 2, pytest.param(3, marks=pytest.mark.long)])
def test_in_whatever_order_corrections_arrive_the_latest_is_the_truth(store: Store, contract: Contract, count: int) -> None:
    right: dict[str, float | None] = {}
    for kinds in product(range(len(STATEMENTS)), repeat=count):
        said = [STATEMENTS[kind](day) for day, kind in enumerate(kinds, 1)]
        for number, order in enumerate(permutations([outcome("p1"), *said])):
            named = f"{kinds} in order {number}"
            store.write_predictions([prediction(1, prediction_id=named)])
            for one in order:
                store.write_outcomes([Outcome(one.churned, one.observed_at, named, None, one.corrects, one.withdrawn)])
            right[named] = None if said[-1].withdrawn else float(said[-1].churned)
    known = truth(store, contract)
    assert {named: known.get(named) for named in right} == right


def test_two_replicas_that_correct_at_once_end_with_the_later_word(url: str, contract: Contract) -> None:
    pairs = 20
    with closing(Store.open(url)) as one, closing(Store.open(url)) as two, ThreadPoolExecutor(2) as threads:
        one.write_predictions([prediction(n) for n in range(pairs)])
        together = Barrier(2)

        def report(store: Store, said: Outcome) -> OutcomeReceipt:
            together.wait()
            return store.write_outcomes([said])

        for n in range(pairs):
            first = outcome(f"p{n}") if n % 2 else corrects(f"p{n}", True, days=1)
            last = withdraws(f"p{n}", days=2) if n % 4 < 2 else corrects(f"p{n}", False, days=2)
            for done in [threads.submit(report, store, said) for store, said in ((one, first), (two, last))]:
                done.result()
        assert truth(one, contract) == {f"p{n}": 0.0 for n in range(pairs) if n % 4 >= 2}


def test_training_learns_what_is_true_now(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in range(40)])
    store.write_outcomes([outcome(f"p{n}", churned=n % 2 == 0) for n in range(40)])
    store.write_outcomes([corrects("p0", False), withdraws("p2")])
    rows = read_mature_traffic(store, contract, 0.0, newest=100, now=OBSERVED + 30 * DAY).rows.set_index("prediction_id")
    assert len(rows) == 39
    assert "p2" not in rows.index
    assert rows.loc["p0", "churned"] == 0.0


def test_the_monitor_judges_the_truth_of_what_it_has_not_judged_and_counts_what_it_has(store: Store) -> None:
    store.write_predictions([prediction(n) for n in range(6)])
    store.write_outcomes([outcome(f"p{n}") for n in range(4)])
    judged = int(store.read_outcomes("1", after_outcome_seq=0, newest=9)["outcome_seq"].max())
    store.write_outcomes([outcome("p4"), outcome("p5")])
    store.write_monitor_run(monitor_run(last_outcome_seq=judged))
    store.write_outcomes([corrects("p1", False), withdraws("p2"), corrects("p4", False)])
    new = store.read_outcomes("1", after_outcome_seq=judged, newest=9)
    assert new["churned"].tolist() == [0.0, 1.0]
    assert store.count_outcome_corrections("1", judged_seq=judged, since=NOON) == 2
    assert store.count_outcome_corrections("2", judged_seq=judged, since=NOON) == 0
    assert store.count_outcome_corrections("1", judged_seq=judged, since=NOON + 10_000 * DAY) == 0


@pytest.mark.parametrize("how", ["prune", "erase"])
def test_corrections_go_with_their_prediction(store: Store, how: str) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    store.write_outcomes([outcome("p1"), outcome("p2"), corrects("p1", False), withdraws("p2")])
    if how == "prune":
        prune(store.engine, NOON + DAY, even_unjudged=True)
    else:
        for name in ("c1", "c2"):
            erase_customer(store.engine, [name], reason="asked")
    with store.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(outcome_corrections)).scalar_one() == 0
    assert store.count_outcomes() == 2
