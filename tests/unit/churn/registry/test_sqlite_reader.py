"""A local registry is read from MLflow's own tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from churn.errors import NoModel, NoVersion, RegistryError
from churn.registry.aliases import Registered, Version
from churn.registry.sqlite_reader import DELETED, SqliteReader

# Of MLflow's tables the columns that are read.
TABLES = """
CREATE TABLE registered_model_aliases (alias TEXT, version INTEGER, name TEXT);
CREATE TABLE model_versions (name TEXT, version INTEGER, run_id TEXT, current_stage TEXT);
CREATE TABLE model_version_tags (name TEXT, version INTEGER, key TEXT, value TEXT);
"""
Fill = Callable[..., None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mlflow.db"


@pytest.fixture
def fill(file: Path) -> Fill:
    """Add rows to a table."""
    with closing(sqlite3.connect(file)) as database:
        database.executescript(TABLES)

    def add(table: str, *rows: tuple[object, ...]) -> None:
        with closing(sqlite3.connect(file)) as database, database:
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608 -- our words

    return add


def test_the_aliases_of_one_model_are_read_and_those_of_no_other(file: Path, fill: Fill) -> None:
    fill("registered_model_aliases", ("champion", 10, "churn"), ("previous", 9, "churn"), ("champion", 3, "other"))
    assert SqliteReader(file, "churn").aliases() == {"champion": "10", "previous": "9"}
    assert SqliteReader(file, "other").aliases() == {"champion": "3"}
    assert SqliteReader(file, "churn'").aliases() == {}


def test_a_version_is_read_with_its_run_and_its_digest(file: Path, fill: Fill) -> None:
    fill("model_versions", ("churn", 3, "r3", "None"), ("churn", 4, None, "None"), ("other", 3, "else", "None"))
    fill("model_version_tags", ("churn", 3, "artifact_digest", "abc"), ("churn", 3, "trigger", "manual"))
    reader = SqliteReader(file, "churn")
    assert reader.registered("3") == Registered("3", "r3", "abc")
    assert reader.registered("4") == Registered("4", "", "")


@pytest.mark.parametrize("version", ["5", "4"])
def test_a_version_that_was_never_there_or_is_deleted_is_none(version: str, file: Path, fill: Fill) -> None:
    fill("model_versions", ("churn", 3, "r3", "None"), ("churn", 4, "r4", DELETED), ("other", 5, "r5", "None"))
    with pytest.raises(NoVersion, match=f"no version '{version}' of model 'churn'"):
        SqliteReader(file, "churn").registered(version)


def test_versions_are_listed_newest_first_with_aliases_and_tags_but_deleted_ones_are_not(file: Path, fill: Fill) -> None:
    fill(
        "model_versions",
        ("churn", 9, "r", "None"),
        ("churn", 10, "r", "None"),
        ("churn", 8, "r", DELETED),
        ("other", 1, "r", "None"),
    )
    fill(
        "model_version_tags", ("churn", 9, "trigger", "manual"), ("churn", 8, "trigger", "gone"), ("other", 1, "trigger", "else")
    )
    fill("registered_model_aliases", ("champion", 9, "churn"), ("best", 9, "churn"))
    assert SqliteReader(file, "churn").versions() == [
        Version("10", [], {}),
        Version("9", ["best", "champion"], {"trigger": "manual"}),
    ]


def test_a_table_without_the_columns_is_a_registry_that_is_away(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE registered_model_aliases (alias TEXT)")
    with pytest.raises(RegistryError, match=f"the registry in {file} did not answer: no such column"):
        SqliteReader(file, "churn").aliases()


def test_a_registry_is_read_while_another_process_writes_to_it(file: Path, fill: Fill) -> None:
    fill("registered_model_aliases", ("champion", 1, "churn"))
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE registered_model_aliases SET version = 2")
        assert SqliteReader(file, "churn").aliases() == {"champion": "1"}


def test_a_database_that_is_not_there_yet_or_empty_holds_no_model(tmp_path: Path) -> None:
    reader = SqliteReader(tmp_path / "mlflow.db", "churn")
    for _ in range(2):
        assert reader.aliases() == {}
        assert reader.versions() == []
        with pytest.raises(NoModel):
            reader.registered("1")
        sqlite3.connect(tmp_path / "mlflow.db").close()
        (tmp_path / "mlflow.db").touch()


def test_a_file_that_is_no_database_is_a_registry_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear customer, " * 200)
    with pytest.raises(RegistryError, match="did not answer"):
        SqliteReader(tmp_path / "letter.txt", "churn").aliases()


def test_reading_never_makes_a_file(tmp_path: Path) -> None:
    SqliteReader(tmp_path / "folder" / "mlflow.db", "churn").aliases()
    assert list(tmp_path.iterdir()) == []
