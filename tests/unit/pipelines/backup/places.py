"""Small systems on SQLite: a folder with a few files, and databases of a few rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipelines.backup.backup import Places


def places_in(home: Path) -> Places:
    return Places(
        home=home,
        store=f"sqlite:///{home}/store.db",
        registry=f"sqlite:///{home}/mlflow.db",
        artifacts=str(home / "artifacts"),
        prefect=f"sqlite:///{home}/prefect/prefect.db",
    )


def execute(url: str, *statements: str) -> list[tuple[str, ...]]:
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
    return rows


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def filled(home: Path, word: str = "one") -> Places:
    """A system that has something of everything."""
    places = places_in(home)
    execute(places.store, "CREATE TABLE predictions (id TEXT)", f"INSERT INTO predictions VALUES ('{word}')")  # noqa: S608 -- ours
    address = (home / "artifacts" / "1").as_uri()
    execute(str(places.registry), "CREATE TABLE runs (artifact_uri TEXT)", f"INSERT INTO runs VALUES ('{address}')")  # noqa: S608 -- ours
    execute(str(places.prefect), "CREATE TABLE flow_run (id TEXT)", f"INSERT INTO flow_run VALUES ('{word}')")  # noqa: S608 -- ours
    for name in ("spool/a.jsonl", "artifacts/1/model.skops", "models/churn/last-known-good.json"):
        write(home / name, word)
    return places


def rows(url: str | None, table: str) -> list[str]:
    return [row[0] for row in execute(str(url), f"SELECT * FROM {table}")]  # noqa: S608 -- our tables


def files(folder: Path) -> dict[str, str]:
    """The files of a folder that are no databases, with what is in them; all names of the others."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found[path.relative_to(folder).as_posix()] = "" if path.suffix == ".db" else path.read_text()
    return found
