"""A database gets the newest schema, once; one of another version is left as it is, and said."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from churn.errors import StoreAway, StoreError
from churn.store.migrate import migrate
from churn.store.tables import metadata


def schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_a_new_database_gets_every_table_and_one_that_is_up_to_date_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    revision = migrate(f"sqlite:///{path}")
    made = schema(path)
    assert set(metadata.tables) <= {name for name, _ in made}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]
    before = path.read_bytes()
    assert migrate(f"sqlite:///{path}") == revision
    assert (schema(path), path.read_bytes()) == (made, before)


def test_a_store_of_another_version_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    revision = migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of_the_future'")
        connection.commit()
    with pytest.raises(StoreError, match=f"another version of churn: its schema is of_the_future, this one's is {revision}"):
        migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("of_the_future",)]


def test_a_database_that_is_away_is_told_from_one_that_cannot_be_set_up(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match="the store cannot be reached"):
        migrate(f"sqlite:///{tmp_path}")
    (tmp_path / "text.db").write_text("this is no database, whatever its name says\n" * 100, encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be"):
        migrate(f"sqlite:///{tmp_path / 'text.db'}")


def test_a_table_that_is_there_already_ends_the_migration_with_nothing_made(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE outcomes (of_somebody_else TEXT)")
    before = schema(path)
    with pytest.raises(StoreError, match="the store cannot be set up"):
        migrate(f"sqlite:///{path}")
    assert schema(path) == before
