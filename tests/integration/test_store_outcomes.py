"""Outcomes are stored once for a prediction, on both databases."""

from __future__ import annotations

from churn.contract import Contract
from churn.store.records import Outcome
from churn.store.store import Store
from tests.integration.store_rows import NOON, by_customer, ids, outcome, prediction


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


def test_a_customer_means_the_newest_prediction(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1, customer_id="anna"), prediction(2, customer_id="anna"), prediction(3)])
    assert store.write_outcomes([by_customer("anna")]).accepted == 1
    assert ids(store, contract, after_outcome_seq=0) == ["p2"]
    store.write_predictions([prediction(4, customer_id="anna")])
    assert store.write_outcomes([by_customer("anna", churned=False)]).accepted == 1
    assert ids(store, contract, after_outcome_seq=0) == ["p2", "p4"]


def test_one_prediction_named_by_id_and_by_customer_is_one_outcome(store: Store) -> None:
    store.write_predictions([prediction(1, customer_id="anna")])
    receipt = store.write_outcomes([by_customer("anna"), outcome("p1"), by_customer("anna", churned=False)])
    assert (receipt.accepted, receipt.duplicates, receipt.conflicting) == (1, 1, [2])


def test_many_thousands_in_one_call(store: Store) -> None:
    many = 12_001  # more than three times what is asked for in one statement
    store.write_predictions([prediction(n) for n in range(many)])
    assert store.count_predictions() == many
    said = [outcome(f"p{n}") if n % 2 else by_customer(f"c{n}") for n in range(many)]
    assert store.write_outcomes(said).accepted == many
    again = store.write_outcomes([*said, outcome("nobody")])
    assert (again.accepted, again.duplicates, again.unknown) == (0, many, [many])
