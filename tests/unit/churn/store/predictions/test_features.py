"""The features of predictions, by their numbers."""

from __future__ import annotations

from churn.contract import load_contract
from churn.store.store import Store
from tests.unit.churn.store.rows import prediction

CONTRACT = load_contract()


def test_features_are_those_of_the_log_by_number_and_what_is_gone_is_passed_over(store: Store) -> None:
    store.write_predictions([prediction(n) for n in range(6)])
    log = store.read_predictions(CONTRACT)
    seqs = log["seq"].tolist()
    found = store.read_features(CONTRACT, [seqs[4], 10_000, seqs[1]])
    assert found["seq"].tolist() == [seqs[1], seqs[4]]
    expected = log.loc[log["seq"].isin(found["seq"]), CONTRACT.feature_names].reset_index(drop=True)
    assert found[CONTRACT.feature_names].equals(expected)


def test_of_no_numbers_there_is_an_empty_frame_with_all_columns(store: Store) -> None:
    found = store.read_features(CONTRACT, [])
    assert (len(found), list(found.columns)) == (0, ["seq", *CONTRACT.feature_names])
    assert found["total_day_minutes"].dtype == "float64"
