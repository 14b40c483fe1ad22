"""Copies of SQLite databases, what is in use, and artifacts that moved. (PostgreSQL: tests/integration.)"""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from churn.errors import ChurnError, InputError
from pipelines.backup import databases
from pipelines.backup.archive import Database
from pipelines.backup.databases import check_rows, dump, is_in_use, kind_of, move_artifacts, restore_postgres


def made(path: Path, *statements: str) -> str:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return f"sqlite:///{path}"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return made(
        tmp_path / "a.db",
        "CREATE TABLE predictions (n INTEGER)",
        "INSERT INTO predictions VALUES (1), (2), (3)",
        "CREATE TABLE alembic_version (version_num TEXT)",
        "INSERT INTO alembic_version VALUES ('0001')",
    )


@pytest.mark.parametrize("url", ["mysql://host/x", "nothing"])
def test_only_two_kinds_of_databases_are_known(url: str) -> None:
    with pytest.raises(InputError):
        kind_of(url)
    assert (kind_of("sqlite:///x"), kind_of("postgresql+psycopg://host/x")) == ("sqlite", "postgresql")


def test_a_copy_is_whole_and_is_described(url: str, tmp_path: Path) -> None:
    known = dump(url, tmp_path / "copy.db")
    assert known == Database(
        kind="sqlite", server=sqlite3.sqlite_version, revision="0001", rows={"alembic_version": 1, "predictions": 3}
    )
    check_rows(f"sqlite:///{tmp_path}/copy.db", known)
    empty = made(tmp_path / "b.db", "CREATE TABLE alembic_version (version_num TEXT)")
    assert dump(empty, tmp_path / "b.copy").revision is None


def test_a_copy_may_be_made_in_a_folder_of_any_name(url: str, tmp_path: Path) -> None:
    (folder := tmp_path / "#1 50%20? Ünï").mkdir()
    assert dump(url, folder / "copy").rows == dump(url, tmp_path / "copy").rows


def test_rows_that_are_missing_or_too_many_are_named(url: str) -> None:
    for rows in ({"predictions": 2, "alembic_version": 1}, {"predictions": 3, "gone": 1}):
        with pytest.raises(ChurnError, match="predictions" if rows["predictions"] == 2 else "gone"):
            check_rows(url, Database(kind="sqlite", server="", revision=None, rows=rows))


def test_what_is_no_database_cannot_be_copied(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    for name in ("broken.db", "missing.db"):
        with pytest.raises(ChurnError, match=f"{name} cannot be copied"):
            dump(f"sqlite:///{tmp_path / name}", tmp_path / f"copy of {name}")


@pytest.mark.parametrize(
    ("statements", "used"),
    [
        ((), False),
        (("CREATE TABLE predictions (n INTEGER)",), False),
        (("CREATE TABLE predictions (n INTEGER)", "INSERT INTO predictions VALUES (1)"), True),
        (("CREATE TABLE outcomes (n INTEGER)", "INSERT INTO outcomes VALUES (1)", "CREATE TABLE predictions (n INTEGER)"), True),
        (("CREATE TABLE predictions (n INTEGER)", "CREATE TABLE locks (n INTEGER)", "INSERT INTO locks VALUES (1)"), False),
        # Somebody else's.
        (("CREATE TABLE bills (n INTEGER)",), True),
    ],
)
def test_a_database_with_anything_in_it_is_in_use(tmp_path: Path, statements: tuple[str, ...], used: bool) -> None:
    assert is_in_use(made(tmp_path / "a.db", *statements), "store") is used


def test_a_database_that_is_not_there_is_not_in_use_and_not_made(tmp_path: Path) -> None:
    assert not is_in_use(f"sqlite:///{tmp_path}/none.db", "store")
    assert not (tmp_path / "none.db").exists()


def test_addresses_below_the_old_root_move_and_no_others(tmp_path: Path) -> None:
    addresses = ("file:///old", "file:///old/1/a", "file:///older/1", "s3://x/file:///old/1")
    url = made(
        tmp_path / "mlflow.db",
        "CREATE TABLE runs (artifact_uri TEXT)",
        "CREATE TABLE experiments (name TEXT)",
        *(f"INSERT INTO runs VALUES ('{address}')" for address in addresses),  # noqa: S608 -- fixed words
    )

    def found() -> list[str]:
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            return [row[0] for row in connection.execute("SELECT artifact_uri FROM runs ORDER BY rowid")]

    move_artifacts(url, "file:///old", "file:///old")
    assert found() == list(addresses)
    move_artifacts(url, "file:///old", "s3://new")
    assert found() == ["s3://new", "s3://new/1/a", *addresses[2:]]


class Programs:
    """PostgreSQL's programs, as if they were here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, code: int = 0, errors: str = "") -> None:
        self.calls: list[tuple[list[str], dict[str, str]]] = []

        def run(command: list[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
            self.calls.append((command, env))
            return subprocess.CompletedProcess(command, code, "", errors)

        monkeypatch.setattr(databases, "find_program", lambda name: Path("/usr/bin") / name)
        monkeypatch.setattr(databases.subprocess, "run", run)


def test_a_restore_is_one_transaction_and_its_password_is_in_no_list_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = Programs(monkeypatch)
    restore_postgres("postgresql+psycopg://anna:se%40cret@db:5433/churn?sslmode=require", Path("/backup/store.dump"))
    ((command, env),) = programs.calls
    assert (command[0], command[-1]) == ("/usr/bin/pg_restore", "/backup/store.dump")
    assert {"--single-transaction", "--exit-on-error", "--clean", "--if-exists", "--no-owner", "--no-privileges"} <= set(command)
    assert "--no-password" in command
    (address,) = [word for word in command if word.startswith("--dbname=")]
    assert address.startswith("--dbname=postgresql://anna@db:5433/churn?")
    assert {"sslmode=require", "connect_timeout=10"} <= set(address.partition("?")[2].split("&"))
    assert env["PGPASSWORD"] == "se@cret"
    assert "cret@" not in address
    monkeypatch.delenv("PGPASSWORD", raising=False)
    restore_postgres("postgresql://anna@db/churn", Path("x"))
    assert "PGPASSWORD" not in programs.calls[-1][1]


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ("warning: old\npg_restore: ERROR: no room\nmore", "pg_restore: ERROR: no room"),
        ("", "it ended with 3"),
        ("hm", "it ended with 3"),
    ],
)
def test_a_program_that_fails_is_told_by_its_first_error(monkeypatch: pytest.MonkeyPatch, errors: str, told: str) -> None:
    Programs(monkeypatch, 3, errors)
    with pytest.raises(ChurnError, match=f"pg_restore failed: {told}$"):
        restore_postgres("postgresql://db/churn", Path("x"))
