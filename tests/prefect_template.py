"""Prefect takes five seconds of a processor to migrate a new SQLite file: once in a test run. Homes begin with a copy of it."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import warnings
from pathlib import Path


def migrated_database(folder: Path) -> Path:
    """Return an empty database of Prefect with all its tables, made by whoever asks first; the others wait.

    Parameters
    ----------
    folder : Path
        Where the processes of a test run share it.
    """
    template = folder / "prefect-template.db"
    with (folder / "prefect-template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            new = template.with_suffix(".new")
            _migrate(new)
            new.replace(template)
    return template


def copy_to_home(template: Path, prefect_home: Path, name: str = "prefect.db") -> None:
    """Let a server with this PREFECT_HOME find a migrated database."""
    prefect_home.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, prefect_home / name)


def _migrate(file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect.server.database.dependencies import provide_database_interface, temporary_database_interface
        from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings

        async def create() -> None:
            database = provide_database_interface()
            await database.create_db()
            await (await database.engine()).dispose()

        url = f"sqlite+aiosqlite:///{file}"
        with temporary_settings({PREFECT_SERVER_DATABASE_CONNECTION_URL: url}), temporary_database_interface():
            asyncio.run(create())
