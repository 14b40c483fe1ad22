"""The migrations make exactly the tables of churn.tables, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from churn.errors import StoreError
from churn.store import Store, migrate
from churn.tables import metadata
from tests.integration.postgres import postgres_server


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres_server() as server, server.database() as url:
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
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, metadata) == []


def test_the_comparison_would_see_a_difference(connection: sa.Connection) -> None:
    other = sa.MetaData()
    for table in metadata.tables.values():
        table.to_metadata(other)
    other.tables["predictions"].append_column(sa.Column("surprise", sa.Text))
    differences = compare_metadata(MigrationContext.configure(connection), other)
    assert [difference[0] for difference in differences] == ["add_column"]


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
        sa.text("INSERT INTO decisions VALUES ('d', '2026-01-01 00:00:00+00:00', 'policy', 'wait', 'm', 'r', NULL, '{}')")
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
    with pytest.raises(StoreError, match="9999") as caught:
        Store.open(url)
    assert "\n" not in str(caught.value)
