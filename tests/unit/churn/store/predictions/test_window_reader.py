"""A window's predictions in parts: the same customers as the log has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from churn.contract import Contract, load_contract
from churn.errors import StoreError
from churn.store.predictions import window_reader
from churn.store.predictions.window_reader import Span
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from churn.store.tables import predictions

CONTRACT = load_contract()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEATURES = {"total_day_minutes": 180.5, "international_plan": True, "state": "OH", "customer_service_calls": 3}


def fill(store: Store, rows: int, *, version: str = "1", **features: object) -> None:
    batch = [
        Prediction(
            prediction_id=f"{version}-{n}",
            customer_id=None,
            requested_at=NOON + timedelta(seconds=n),
            model_version=version,
            churn_probability=n / max(rows, 1),
            threshold=0.25,
            churn=False,
            features=FEATURES | {"total_day_calls": n, "total_eve_minutes": None if n % 3 == 0 else n / 7} | features,
        )
        for n in range(rows)
    ]
    store.write_predictions(batch)


def read(store: Store, contract: Contract, span: Span, **how: float) -> pd.DataFrame:
    return pd.concat(list(store.iter_predictions(contract, "1", span, **how)), ignore_index=True)


def test_parts_are_the_log(store, monkeypatch):
    monkeypatch.setattr(window_reader, "PART_ROWS", 64)
    fill(store, 150)
    fill(store, 20, version="2")
    span = store.find_span("1", after_seq=0, newest=1_000)
    parts = list(store.iter_predictions(CONTRACT, "1", span))
    assert [len(part) for part in parts] == [64, 64, 22]
    found, log = pd.concat(parts, ignore_index=True), store.read_predictions(CONTRACT, model_version="1")
    same = ["seq", "churn_probability", *CONTRACT.feature_names]
    pd.testing.assert_frame_equal(found[same], log[same])
    assert found["requested_at"].tolist() == log["requested_at"].tolist()
    assert (found["threshold"] == 0.25).all()


def test_a_span_ends_at_the_newest_and_begins_after_what_was_judged(store):
    fill(store, 50)
    fill(store, 10, version="2")
    first, *_, last = store.read_predictions(CONTRACT, model_version="1")["seq"].tolist()
    assert store.find_span("1", after_seq=0, newest=1_000) == (50, first, last)
    assert store.find_span("1", after_seq=0, newest=20) == (20, last - 19, last)
    assert store.find_span("1", after_seq=first + 29, newest=1_000) == (20, first + 30, last)
    assert store.find_span("1", after_seq=last, newest=1_000) == (0, 0, 0)
    assert store.find_span("3", after_seq=0, newest=1_000) == (0, 0, 0)
    assert list(store.iter_predictions(CONTRACT, "3", Span(0, 0, 0))) == []


def test_outcomes_tell_whose_they_are(store):
    asked = [
        Prediction(prediction_id, customer_id, NOON, "1", 0.5, 0.25, True, FEATURES)
        for prediction_id, customer_id in (("a", "anna"), ("b", None), ("c", "anna"))
    ]
    store.write_predictions(asked)
    store.write_outcomes([Outcome(True, NOON, one.prediction_id) for one in asked])
    assert store.read_outcomes("1", after_outcome_seq=0, newest=9)["customer_id"].tolist() == ["anna", None, "anna"]


def test_a_share_is_even_and_the_same_each_time(store):
    fill(store, 3_000)
    span = store.find_span("1", after_seq=0, newest=10_000)
    some = read(store, CONTRACT, span, share=0.2)
    assert 500 < len(some) < 700
    assert read(store, CONTRACT, span, share=0.2)["seq"].tolist() == some["seq"].tolist()
    # As many of each third, and of the even as of the odd.
    thirds = np.histogram(some["seq"], bins=3, range=(span.first_seq, span.last_seq))[0]
    assert thirds.min() > 150
    assert 0.4 < (some["seq"] % 2).mean() < 0.6


@pytest.mark.parametrize(
    "encoding", ['{"total_day_minutes": 12, "international_plan": 1, "state": null}', '{\n "total_day_minutes": 12\n}']
)
def test_features_that_another_writer_encoded_differently_are_read(store, encoding):
    fill(store, 30)
    with store.engine.begin() as connection:
        connection.execute(
            sa.update(predictions).where(predictions.c.prediction_id == "1-7").values(features=sa.type_coerce(encoding, sa.Text))
            if store.engine.dialect.name == "sqlite"
            else sa.text("UPDATE predictions SET features = CAST(:said AS json) WHERE prediction_id = '1-7'").bindparams(
                said=encoding
            )
        )
    found = read(store, CONTRACT, store.find_span("1", after_seq=0, newest=100))
    log = store.read_predictions(CONTRACT)
    pd.testing.assert_frame_equal(found[CONTRACT.feature_names], log[CONTRACT.feature_names])
    assert found["total_day_minutes"][7] == 12.0


def test_outcomes_come_without_features_in_the_order_of_predictions(store):
    fill(store, 30)
    store.write_outcomes([Outcome(n % 2 == 0, NOON, prediction_id=f"1-{n}") for n in (20, 3, 11, 4)])
    seqs = store.read_predictions(CONTRACT)["seq"].to_numpy()
    found = store.read_outcomes("1", after_outcome_seq=0, newest=100)
    assert found["seq"].tolist() == seqs[[3, 4, 11, 20]].tolist()
    assert found["churned"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert found["requested_at"].tolist() == [NOON + timedelta(seconds=n) for n in (3, 4, 11, 20)]
    assert found["outcome_seq"].is_unique
    assert store.read_outcomes("1", after_outcome_seq=0, newest=2)["seq"].tolist() == seqs[[11, 20]].tolist()
    none = store.read_outcomes("2", after_outcome_seq=0, newest=2)
    assert none.empty
    assert none.dtypes.tolist() == found.dtypes.tolist()


def test_a_store_that_goes_away_between_parts_is_said(store, monkeypatch):
    monkeypatch.setattr(window_reader, "PART_ROWS", 10)
    fill(store, 50)
    parts = store.iter_predictions(CONTRACT, "1", store.find_span("1", after_seq=0, newest=100))
    next(parts)
    parts.close()  # and who stops early leaves nothing open
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE predictions RENAME TO elsewhere"))
    with pytest.raises(StoreError):
        list(store.iter_predictions(CONTRACT, "1", Span(50, 1, 50)))
