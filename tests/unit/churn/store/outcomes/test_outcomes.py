"""Outcomes are stored once for a prediction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier

from churn.contract import Contract
from churn.store.records import Outcome, OutcomeReceipt
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, by_customer, ids, outcome, prediction


def test_outcomes_are_idempotent(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    said = [outcome("p1"), outcome("p2", churned=False)]
    first, again = store.write_outcomes(said), store.write_outcomes(said)
    assert (first.accepted, first.duplicates) == (2, 0)
    assert (again.accepted, again.duplicates, again.unknown, again.conflicting) == (0, 2, [], [])
    assert store.read_predictions(contract)["churned"].tolist() == [1.0, 0.0]


def test_of_two_results_the_first_stays_and_the_second_is_named(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    store.write_outcomes([outcome("p2", churned=False)])
    receipt = store.write_outcomes([outcome("p1"), outcome("p2"), outcome("p1", churned=False), outcome("p1")])
    assert (receipt.accepted, receipt.duplicates, receipt.conflicting) == (1, 1, [1, 2])
    assert store.read_predictions(contract)["churned"].tolist() == [1.0, 0.0]


def test_outcomes_of_nobody_are_named_and_the_rest_is_stored(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2, customer_id=None)])
    receipt = store.write_outcomes([outcome("nobody"), by_customer("nobody"), outcome("p1"), Outcome(True, NOON)])
    assert (receipt.accepted, receipt.unknown) == (1, [0, 1, 3])
    assert ids(store, contract, after_outcome_seq=0) == ["p1"]


def test_a_customer_means_the_newest_prediction_asked_for_before(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n, customer_id="anna") for n in (2, 1, 3)])
    between = by_customer("anna", observed_at=NOON + timedelta(seconds=2))
    assert store.write_outcomes([between]).accepted == 1
    assert ids(store, contract, after_outcome_seq=0) == ["p2"]
    assert store.write_outcomes([by_customer("anna", observed_at=NOON)]).unknown == [0]
    assert store.write_outcomes([by_customer("anna", churned=False, observed_at=NOON + timedelta(days=1))]).accepted == 1
    assert ids(store, contract, after_outcome_seq=0) == ["p2", "p3"]


def test_the_same_list_again_labels_no_later_prediction(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n, customer_id=f"c{n % 3}") for n in range(9)])
    nightly = [by_customer(f"c{n}", observed_at=NOON + timedelta(minutes=1)) for n in range(3)]
    assert store.write_outcomes(nightly).accepted == 3
    store.write_predictions(
        [prediction(n, customer_id=f"c{n % 3}", requested_at=NOON + timedelta(days=30)) for n in range(9, 18)]
    )
    again = store.write_outcomes(nightly)
    assert (again.accepted, again.duplicates) == (0, 3)


def test_two_replicas_that_contradict_each_other_are_not_both_told_accepted(url: str) -> None:
    """Which one is first is chance; that the other hears of the conflict is not."""
    pairs = 20
    with closing(Store.open(url)) as one, closing(Store.open(url)) as two, ThreadPoolExecutor(2) as threads:
        one.write_predictions([prediction(n) for n in range(pairs)])
        together = Barrier(2)

        def report(store: Store, n: int, churned: bool) -> OutcomeReceipt:
            together.wait()
            return store.write_outcomes([outcome(f"p{n}", churned), outcome(f"p{n}", churned)])

        for n in range(pairs):
            answers = [threads.submit(report, store, n, churned) for store, churned in ((one, True), (two, False))]
            receipts = sorted((a.result() for a in answers), key=lambda receipt: receipt.accepted)
            assert [(r.accepted, r.duplicates, r.conflicting) for r in receipts] == [(0, 0, [0, 1]), (1, 1, [])]


def test_two_replicas_that_report_the_same_list_in_opposite_orders_do_not_block_each_other(url: str) -> None:
    rounds, size = 5, 200
    with closing(Store.open(url)) as one, closing(Store.open(url)) as two, ThreadPoolExecutor(2) as threads:
        one.write_predictions([prediction(n) for n in range(rounds * size)])
        for start in range(0, rounds * size, size):
            nightly = [outcome(f"p{n}") for n in range(start, start + size)]
            receipts = [threads.submit(s.write_outcomes, said) for s, said in ((one, nightly), (two, nightly[::-1]))]
            accepted, duplicates = zip(*((r.result().accepted, r.result().duplicates) for r in receipts), strict=True)
            assert (sum(accepted), sum(duplicates)) == (size, size)


def test_one_prediction_named_by_id_and_by_customer_is_one_outcome(store: Store) -> None:
    store.write_predictions([prediction(1, customer_id="anna")])
    receipt = store.write_outcomes([by_customer("anna"), outcome("p1"), by_customer("anna", churned=False)])
    assert (receipt.accepted, receipt.duplicates, receipt.conflicting) == (1, 1, [2])
