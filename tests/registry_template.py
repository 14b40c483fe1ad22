"""MLflow migrates a new SQLite file once in a test run: that takes over a second, a copy of what it makes some milliseconds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def migrations_run_once(folder: Path) -> Iterator[None]:
    """For the time of a `with` block, MLflow's first new SQLite file is migrated; those that come later are copies of it.

    Parameters
    ----------
    folder : Path
        Where the processes of a test run share it.
    """
    import mlflow.store.db.utils as mlflow_db

    migrate, template = mlflow_db._upgrade_db, folder / "mlflow-template.db"

    def copy_or_migrate(engine: Any) -> None:
        if engine.dialect.name != "sqlite" or not engine.url.database:
            migrate(engine)
            return
        file = Path(engine.url.database)
        if template.exists():
            _copy(template, file)
            return
        migrate(engine)
        ours = template.with_name(f"mlflow-template-{os.getpid()}.db")
        _copy(file, ours)
        ours.replace(template)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow_db, "_upgrade_db", copy_or_migrate)
        yield


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as have, closing(sqlite3.connect(target)) as want:
        have.backup(want)
