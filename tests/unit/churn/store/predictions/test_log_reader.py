"""Predictions are read back as they were written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from churn.contract import Contract
from churn.errors import StoreError
from churn.ids import new_id
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, OBSERVED, ids, outcome, prediction


def test_a_prediction_comes_back_as_it_was_written(store: Store, contract: Contract) -> None:
    probability = 0.1 + 0.2  # 17 digits
    store.write_predictions([prediction(1, churn_probability=probability, customer_id=None), prediction(2)])
    log = store.read_predictions(contract)
    first = log.iloc[0]
    assert log.columns.tolist()[:3] == ["seq", "prediction_id", "customer_id"]
    assert log.columns.tolist()[9:] == contract.feature_names
    assert (first["prediction_id"], first["customer_id"], first["model_version"]) == ("p1", None, "1")
    assert first["churn_probability"] == probability
    assert first["requested_at"] == NOON + timedelta(seconds=1)
    assert (first["total_day_minutes"], first["international_plan"], first["state"]) == (1.0, 0.0, "OH")
    assert log["international_plan"].tolist() == [0.0, 1.0]
    assert np.isnan(first["total_day_calls"])
    assert np.isnan(first["churned"])
    assert np.isnan(first["outcome_seq"])


def test_an_empty_log_has_all_columns(store: Store, contract: Contract) -> None:
    log = store.read_predictions(contract)
    assert len(log) == 0
    assert log.columns.tolist()[9:] == contract.feature_names
    assert log["churned"].dtype == np.float64
    assert store.count_predictions() == 0


def test_nothing_to_write_is_no_error(store: Store) -> None:
    store.write_predictions([])
    assert store.write_outcomes([]).accepted == 0


def test_a_prediction_written_again_stays_as_it_was(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1)])
    store.write_predictions([prediction(1, churn_probability=0.9), prediction(2)])
    log = store.read_predictions(contract)
    assert log["prediction_id"].tolist() == ["p1", "p2"]
    assert log["churn_probability"].tolist() == [0.01, 0.02]


def test_twice_in_one_batch_is_stored_once(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(1), prediction(2), prediction(1, churn_probability=0.9)])
    assert store.read_predictions(contract)["churn_probability"].tolist() == [0.01, 0.02]


def test_a_batch_is_stored_whole_or_not_at_all(store: Store) -> None:
    broken = prediction(2, model_version=None)
    with pytest.raises(StoreError):
        store.write_predictions([prediction(1), broken, prediction(3)])
    assert store.count_predictions() == 0


def test_predictions_are_numbered_in_the_order_they_came(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in (5, 3)])
    store.write_predictions([prediction(4)])
    log = store.read_predictions(contract)
    assert log["prediction_id"].tolist() == ["p5", "p3", "p4"]
    assert log["seq"].is_monotonic_increasing
    assert log["seq"].is_unique


def test_the_log_is_filtered_by_model_number_and_count(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n, model_version="1" if n < 4 else "2") for n in range(1, 7)])
    third = int(store.read_predictions(contract)["seq"].iloc[2])
    assert ids(store, contract, model_version="1") == ["p1", "p2", "p3"]
    assert ids(store, contract, after_seq=third) == ["p4", "p5", "p6"]
    assert ids(store, contract, newest=2) == ["p5", "p6"]
    assert ids(store, contract, model_version="1", newest=2) == ["p2", "p3"]
    assert ids(store, contract, model_version="1", after_seq=third) == []
    assert store.count_predictions() == 6
    assert store.count_predictions(model_version="2") == 3
    assert store.count_predictions(model_version="1", after_seq=third) == 0
    assert store.count_predictions(after_seq=third) == 3


def test_labelled_predictions_are_found_by_the_number_of_their_outcome(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in range(1, 5)])
    store.write_outcomes([outcome("p3"), outcome("p1", churned=False)])
    labelled = store.read_predictions(contract, after_outcome_seq=0)
    assert labelled["prediction_id"].tolist() == ["p1", "p3"]
    assert labelled["churned"].tolist() == [0.0, 1.0]
    assert labelled["observed_at"].tolist() == [OBSERVED, OBSERVED]
    seen = int(labelled["outcome_seq"].max())
    store.write_outcomes([outcome("p2")])
    assert ids(store, contract, after_outcome_seq=seen) == ["p2"]
    assert ids(store, contract) == ["p1", "p2", "p3", "p4"]


def test_the_newest_are_counted_among_the_labelled_when_those_are_asked_for(store: Store, contract: Contract) -> None:
    store.write_predictions([prediction(n) for n in range(1, 6)])
    store.write_outcomes([outcome("p1"), outcome("p2"), outcome("p3")])
    assert ids(store, contract, after_outcome_seq=0, newest=2) == ["p2", "p3"]


def test_predictions_since_a_moment_are_counted_whatever_was_written_after_them(store: Store) -> None:
    assert (store.count_predictions_since(NOON, max_rows=10), store.last_prediction_at()) == (0, None)
    moments = [*range(6), -7200]  # the last one waited in a spool for two hours, and has the newest number
    rows = [prediction(n, prediction_id=new_id(int(NOON.timestamp() + second) * 10**9)) for n, second in enumerate(moments)]
    store.write_predictions(rows)
    assert store.count_predictions_since(NOON, max_rows=10) == 6
    assert store.count_predictions_since(NOON + timedelta(seconds=2), max_rows=10) == 4
    assert store.count_predictions_since(NOON, max_rows=3) == 3, "it looks at no more of them"


def test_counting_reads_the_index_of_the_ids_alone(store: Store) -> None:
    asked: list[Any] = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
    store.count_predictions_since(NOON, max_rows=10)
    statement, parameters = asked[-1]
    ways = {"sqlite": ("EXPLAIN QUERY PLAN", "COVERING INDEX"), "postgresql": ("EXPLAIN", "Index Cond")}
    explain, sought = ways[store.engine.name]
    with store.engine.connect() as connection:
        if store.engine.name == "postgresql":  # an empty table is read whole otherwise
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    assert any(sought in row[-1] for row in plan), plan
