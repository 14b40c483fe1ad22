"""Watermarks: a row that appears late, with a smaller number than others, is not missed. Two real connections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from churn.errors import StoreError
from churn.store.database import watermark
from churn.store.database.watermark import find_watermark
from churn.store.outcomes.outcomes import insert_outcomes
from churn.store.records import Outcome, Prediction
from churn.store.store import Store
from churn.store.tables import outcomes, predictions
from tests.integration.postgres import Server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def url(postgres: Server) -> Iterator[str]:
    with postgres.database() as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    with opened.engine.begin() as connection:
        connection.execute(sa.text("TRUNCATE predictions, outcomes, outcome_corrections RESTART IDENTITY"))
    yield opened
    opened.close()


def prediction(n: int) -> Prediction:
    return Prediction(f"p{n}", f"c{n}", NOON, "1", 0.2, 0.5, False, {})


def write_late(connection: sa.Connection, n: int) -> None:
    one = prediction(n)
    columns = [column.name for column in predictions.columns if column.name not in ("seq", "features")]
    connection.execute(predictions.insert(), [{"features": {}} | {name: getattr(one, name) for name in columns}])


def commit_while_reader_waits(late: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Commit when the reader has begun to wait."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if late.in_transaction():
            late.commit()

    monkeypatch.setattr(watermark.time, "sleep", sleep)
    return slept


def test_a_span_waits_for_a_prediction_with_a_smaller_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.engine.connect() as late:
        write_late(late, 1)
        store.write_predictions([prediction(2)])  # has the larger number, and is there first
        slept = commit_while_reader_waits(late, monkeypatch)
        span = store.find_span("1", after_seq=0, newest=10)
    assert slept
    assert span == (2, 1, 2)


def test_labelled_predictions_wait_for_an_outcome_with_a_smaller_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    with store.engine.connect() as late:
        insert_outcomes(late, [Outcome(True, NOON, "p1")])
        store.write_outcomes([Outcome(False, NOON, "p2")])
        slept = commit_while_reader_waits(late, monkeypatch)
        labelled = store.read_outcomes("1", after_outcome_seq=0, newest=10)
    assert slept
    assert labelled["outcome_seq"].tolist() == [1, 2]


def test_realized_answers_wait_for_an_outcome_with_a_smaller_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write_predictions([prediction(1), prediction(2)])
    with store.engine.connect() as late:
        insert_outcomes(late, [Outcome(True, NOON, "p1")])
        store.write_outcomes([Outcome(False, NOON, "p2")])
        slept = commit_while_reader_waits(late, monkeypatch)
        found = store.realized("1", since=NOON, after_outcome_seq=0, limit=10)
    assert slept
    assert [one.outcome_seq for one in found] == [1, 2]


@pytest.mark.parametrize("table", [predictions, outcomes])
def test_a_transaction_that_never_ends_is_an_error_and_holds_up_no_other_table(store: Store, table: sa.Table) -> None:
    store.write_predictions([prediction(1)])
    with store.engine.connect() as late, store.engine.connect() as reader:
        late.execute(sa.text(f"LOCK TABLE {table.name} IN ROW EXCLUSIVE MODE"))
        with pytest.raises(StoreError, match=f"writing {table.name} "):
            find_watermark(reader, table, timeout_seconds=0)
        other = outcomes if table is predictions else predictions
        assert find_watermark(reader, other, timeout_seconds=0) == (1 if other is predictions else 0)
        late.rollback()
        assert find_watermark(reader, table, timeout_seconds=0) == (1 if table is predictions else 0)


def test_a_reader_holds_up_no_writer_and_no_other_reader(store: Store) -> None:
    with store.engine.connect() as reader:
        find_watermark(reader, predictions)
        reader.execute(sa.select(predictions.c.seq)).all()
        with store.engine.connect() as other:
            assert find_watermark(other, predictions, timeout_seconds=0) == 0
        store.write_predictions([prediction(1)])
