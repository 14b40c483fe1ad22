"""The migrations make exactly the tables of churn.store.tables, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from churn.errors import StoreError
from churn.store.database.engine import make_engine
from churn.store.migrate import MIGRATION_LOCK, migrate
from churn.store.store import Store
from churn.store.tables import metadata, predictions
from tests.integration.postgres import Server


@pytest.fixture(scope="module")
def postgres_url(postgres: Server) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def connection(url: str) -> Iterator[sa.Connection]:
    store = Store.open(url)
    with store.engine.connect() as opened:
        yield opened
    store.close()


def test_migrations_make_exactly_the_declared_tables(connection: sa.Connection) -> None:
    def is_here(declared: Any, _name: Any, kind: str, *_: Any) -> bool:
        return kind != "index" or declared.info.get("only", connection.dialect.name) == connection.dialect.name

    opts = {"compare_type": True, "compare_server_default": True, "include_object": is_here}
    assert compare_metadata(MigrationContext.configure(connection, opts=opts), metadata) == []
    brin = {index["name"] for table in metadata.tables for index in sa.inspect(connection).get_indexes(table)}
    assert ("ix_predictions_requested_at" in brin) == (connection.dialect.name == "postgresql")


def test_the_comparison_would_see_a_difference(connection: sa.Connection) -> None:
    other = sa.MetaData()
    for table in metadata.tables.values():
        table.to_metadata(other)
    other.tables["predictions"].append_column(sa.Column("surprise", sa.Text))
    differences = compare_metadata(MigrationContext.configure(connection), other)
    assert "add_column" in [difference[0] for difference in differences]


def add_prediction(connection: sa.Connection, n: int, features: str = "{}") -> None:
    row = {"id": f"p{n}", "who": f"c{n}", "at": f"2026-03-01 12:00:0{n}+00:00", "v": f"{n}", "p": n / 10, "features": features}
    into = "INSERT INTO predictions (prediction_id, customer_id, requested_at, model_version, churn_probability, threshold, churn"
    connection.execute(sa.text(f"{into}, held_out, features) VALUES (:id, :who, :at, :v, :p, 0.5, true, false, :features)"), row)


def test_the_number_of_a_removed_row_is_not_given_again(connection: sa.Connection, url: str) -> None:
    numbers = []
    for n in (1, 2):
        add_prediction(connection, n)
        numbers.append(connection.execute(sa.select(predictions.c.seq)).scalar_one())
        connection.execute(sa.delete(predictions))
    assert numbers[1] > numbers[0]


def test_uniqueness_is_kept_by_the_database(connection: sa.Connection) -> None:
    inspector = sa.inspect(connection)
    unique = {
        (table, tuple(constraint["column_names"]))
        for table in metadata.tables
        for constraint in inspector.get_unique_constraints(table)
    }
    assert unique == {
        ("predictions", ("prediction_id",)),
        ("outcomes", ("prediction_id",)),
        ("monitor_runs", ("model_version", "last_seq", "last_outcome_seq", "mature_until")),
    }


def test_migrating_again_changes_nothing(connection: sa.Connection, url: str) -> None:
    connection.execute(
        sa.text("INSERT INTO decisions VALUES ('d', '2026-01-01 00:00:00+00:00', 'policy', 'watch', 'm', 'r', NULL, '{}')")
    )
    connection.commit()
    migrate(url)
    assert connection.execute(sa.text("SELECT decision_id FROM decisions")).scalars().all() == ["d"]


def test_a_store_of_a_newer_version_is_refused_in_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store = Store.open(url)
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreError, match=r"another version of churn: its schema is 9999, .* \(sqlite:.*store.db\)$") as caught:
        Store.open(url)
    assert "\n" not in str(caught.value)


def test_who_waits_for_another_migration_says_for_whom_and_then_finishes(
    postgres: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.database() as url, ThreadPoolExecutor(1) as threads:
        engine = make_engine(url)
        with engine.begin() as holder:
            pid = holder.scalar(sa.select(sa.func.pg_backend_pid()))
            holder.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            waiting = threads.submit(migrate, url)
            while not caplog.messages and not waiting.done():
                time.sleep(0.01)
            assert not waiting.done()
            assert f"waiting for another process that migrates the store: PostgreSQL's process {pid}" in caplog.text
        assert waiting.result(timeout=60) == "0001"
        engine.dispose()
