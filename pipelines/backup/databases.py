"""Copies of databases while others write to them: SQLite by its backup API, PostgreSQL by pg_dump, each of one moment."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from churn.config.urls import shown
from churn.errors import ChurnError, InputError, StoreError
from churn.store.database.engine import make_engine, translated
from pipelines.backup.archive import Database
from pipelines.backup.postgres_tools import find_program

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Sessions of the services name no program, or the one that the URL names: as this one does. A lock's names its holder.
_OTHERS = sa.text(
    "SELECT coalesce(host(client_addr), 'this machine') FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    " AND application_name IN ('', current_setting('application_name'))"
)
# How long a copy waits for whoever holds a SQLite file, and how long one of PostgreSQL's programs may take in all.
BUSY_SECONDS, PROGRAM_SECONDS = 60.0, 6 * 3600.0
# A server that is gone without a word, or does not accept; see libpq's parameters of these names.
SERVER_LIMITS = {"connect_timeout": "10", "keepalives_idle": "60", "tcp_user_timeout": "900000"}
# A database with a row in one of these is in use. The rest is what every new one has.
IN_USE = {
    "store": (
        *("predictions", "outcomes", "contacts", "opt_outs", "sensitive_levels"),
        *("shadow_predictions", "monitor_runs", "decisions", "flow_runs"),
    ),
    "registry": ("registered_models", "runs", "model_versions"),
    "prefect": ("flow_run",),
}
# The columns of MLflow's tables that hold artifacts' addresses.
ARTIFACT_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def kind_of(url: str) -> str:
    """Return which kind of database a URL names: SQLite or PostgreSQL. Raise InputError for any other."""
    try:
        kind = sa.make_url(url).get_backend_name()
    except sa.exc.ArgumentError as error:
        raise InputError(f"no address of a database: {error}") from error
    if kind not in (SQLITE, POSTGRESQL):
        raise InputError(f"SQLite or PostgreSQL is needed, not {kind!r}")
    return kind


def sqlite_file(url: str) -> Path:
    """Return the file of a SQLite database."""
    return Path(str(sa.make_url(url).database)).absolute()


def dump(url: str, into: Path) -> Database:
    """Copy a database into a file, as it is at one moment.

    Parameters
    ----------
    url : str
    into : Path

    Returns
    -------
    Database
        What is in it: kind, schema revision, rows a table.

    Raises
    ------
    ChurnError
        If it cannot be read.
    """
    if kind_of(url) == SQLITE:
        return _dump_sqlite(sqlite_file(url), into)
    return _dump_postgres(url, into)


def _dump_sqlite(path: Path, into: Path) -> Database:
    try:
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as source,
            closing(sqlite3.connect(into, timeout=BUSY_SECONDS)) as copy,
        ):
            # In one step: a step at a time, it would begin anew whenever somebody writes.
            source.backup(copy)
            (sound,) = copy.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise ChurnError(f"{path} cannot be copied: {error}") from error
    if sound != "ok":
        raise ChurnError(f"{path} is damaged: {sound}")
    # No URL as text: the folder of the backup may hold a question mark.
    engine = sa.create_engine(sa.URL.create(SQLITE, database=str(into)), connect_args={"timeout": BUSY_SECONDS})
    with engine.connect() as connection:
        known = _describe(connection, SQLITE, sqlite3.sqlite_version)
    engine.dispose()
    return known


def _dump_postgres(url: str, into: Path) -> Database:
    engine = make_engine(url)
    try:
        with translated(shown(url)), engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            # Copy and description are of the same moment.
            snapshot = connection.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()
            version = str(connection.execute(sa.text("SHOW server_version")).scalar_one())
            _run_program("pg_dump", url, "--format=custom", f"--snapshot={snapshot}", f"--file={into}")
            return _describe(connection, POSTGRESQL, version)
    finally:
        engine.dispose()


def _describe(connection: sa.Connection, kind: str, server: str) -> Database:
    rows = {}
    for name in sorted(sa.inspect(connection).get_table_names()):
        rows[name] = int(connection.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar_one())
    revision = None
    if rows.get("alembic_version"):
        revision = str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())
    return Database(kind=kind, server=server, revision=revision, rows=rows)


def _engine(url: str) -> sa.Engine:
    """Return an engine that leaves a SQLite file's settings as they are: a backup is not to be changed by being looked at."""
    if kind_of(url) == SQLITE:
        return sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    return make_engine(url)


def is_in_use(url: str, name: str) -> bool:
    """Return whether a database holds anything that a restore would destroy.

    Parameters
    ----------
    url : str
    name : str
        What the database is for: store, registry or prefect.

    Returns
    -------
    bool
    """
    if kind_of(url) == SQLITE and not sqlite_file(url).exists():
        return False
    engine = _engine(url)
    try:
        with translated(shown(url)), engine.connect() as connection:
            there = set(sa.inspect(connection).get_table_names())
            tables = there & set(IN_USE[name])
            some = (connection.execute(sa.select(sa.literal(1)).select_from(sa.table(table)).limit(1)) for table in tables)
            # What is not ours is not to be written over either.
            return any(found.first() for found in some) or bool(there and not tables)
    except StoreError as error:
        if _is_no_database(error.__cause__):
            return True
        raise
    finally:
        engine.dispose()


def check_left_alone(url: str) -> None:
    """Refuse a database of PostgreSQL that programs like this one are connected to: they would write between a restore's steps.

    Sessions that say to be another program (psql, an exporter of metrics) only read, as far as anybody knows.

    Parameters
    ----------
    url : str
        SQLite is not looked at: `pipelines.backup.running` sees who has its file open.

    Raises
    ------
    InputError
    """
    if kind_of(url) == SQLITE:
        return
    engine = make_engine(url)
    try:
        with translated(shown(url)), engine.connect() as connection:
            others = list(connection.execute(_OTHERS).scalars())
    finally:
        engine.dispose()
    if others:
        who = ", ".join(sorted(set(others)))
        raise InputError(f"{shown(url)}: {len(others)} other sessions use it (from {who}); stop what uses it first")


def _is_no_database(error: BaseException | None) -> bool:
    """Return whether a file is damaged, or no database at all; not one that is locked, or may not be opened."""
    return isinstance(error, sa.exc.DatabaseError) and type(error.orig) is sqlite3.DatabaseError


def restore_postgres(url: str, dumped: Path) -> None:
    """Restore a dump into a database in one transaction. Tables of the same names are replaced.

    Parameters
    ----------
    url : str
    dumped : Path
    """
    _run_program("pg_restore", url, "--single-transaction", "--exit-on-error", "--clean", "--if-exists", last=str(dumped))


def check_rows(url: str, expected: Database) -> None:
    """Compare a restored database with the manifest.

    Parameters
    ----------
    url : str
    expected : Database

    Raises
    ------
    ChurnError
        If a table has another number of rows.
    """
    engine = _engine(url)
    try:
        with translated(shown(url)), engine.connect() as connection:
            found = _describe(connection, expected.kind, expected.server)
    finally:
        engine.dispose()
    if wrong := {name for name, count in expected.rows.items() if found.rows.get(name) != count}:
        raise ChurnError(f"the restored database is not what was backed up: {', '.join(sorted(wrong))}")


def move_artifacts(url: str, old: str, new: str) -> None:
    """Change the root of the artifacts in MLflow's tables: many rows hold absolute addresses.

    The artifacts themselves are not changed, because the registry promises their digest.

    Parameters
    ----------
    url : str
        MLflow's database.
    old, new : str
        Addresses of the roots.
    """
    if old == new:
        return
    engine = _engine(url)
    try:
        with translated(shown(url)), engine.begin() as connection:
            inspector = sa.inspect(connection)
            tables = set(inspector.get_table_names())
            for table, column in ARTIFACT_COLUMNS:
                if table in tables and column in {known["name"] for known in inspector.get_columns(table)}:
                    _move(connection, sa.table(table, sa.column(column, sa.Text)), column, old, new)
    finally:
        engine.dispose()


def _move(connection: sa.Connection, table: sa.TableClause, column: str, old: str, new: str) -> None:
    value = table.c[column]
    within = sa.or_(value == old, value.startswith(f"{old}/", autoescape=True))
    connection.execute(sa.update(table).where(within).values({column: sa.literal(new) + sa.func.substr(value, len(old) + 1)}))


def _run_program(name: str, url: str, *options: str, last: str | None = None) -> None:
    """Run one of PostgreSQL's programs on a database. The password is in the program's environment, not among its words."""
    parsed = sa.make_url(url)
    env = dict(os.environ)
    if parsed.password:
        env["PGPASSWORD"] = str(parsed.password)
    query = {**SERVER_LIMITS, **parsed.query}
    where = sa.URL.create("postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database, query)
    address = where.render_as_string()
    words: Sequence[str] = [*options, "--no-owner", "--no-privileges", "--no-password", f"--dbname={address}"]
    command = [str(find_program(name)), *words, *([last] if last else [])]
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS)  # noqa: S603 -- PostgreSQL's own
    except subprocess.TimeoutExpired:
        raise ChurnError(f"{name} was stopped after {PROGRAM_SECONDS:g} s: does the database answer?") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.strip().splitlines() if "error" in line.lower()] or [
            f"it ended with {done.returncode}"
        ]
        raise ChurnError(f"{name} failed: {errors[0]}")
