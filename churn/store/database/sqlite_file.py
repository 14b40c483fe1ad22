"""Notice that SQLite's file was moved, removed or replaced.

An open connection goes on reading and writing a file that has no name any more: what is accepted there, nobody would ever find.
And a new connection would make an empty file in its place.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa


def follow_file(engine: sa.Engine, path: Path) -> None:
    """Let an engine use the file that is there under its name, and none that was there before.

    A connection to another file is replaced by one to this; while there is none, connecting fails, but for the first time.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    path : Path
        Its file, made with the first connection. To be called after what prepares a connection, which makes it.
    """
    was_there = False

    @sa.event.listens_for(engine, "do_connect")
    def _refuse_to_make_it_again(*_: Any) -> None:
        if was_there and not path.exists():
            raise sqlite3.OperationalError("its file is gone")

    @sa.event.listens_for(engine, "connect")
    def _note(_connection: sqlite3.Connection, record: Any) -> None:
        nonlocal was_there
        record.info["file"] = _identity(path)
        was_there = True

    @sa.event.listens_for(engine, "checkout")
    def _compare(_connection: sqlite3.Connection, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _identity(path):
            raise sa.exc.DisconnectionError


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
