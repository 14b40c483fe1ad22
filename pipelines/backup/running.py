"""Whether a system runs: put back under it, a backup would split it between files that are gone and files that are new."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from churn.errors import InputError
from churn.file_lock import try_lock

# `churn up` holds it as long as it runs.
UP_LOCK = "up.lock"
# One of these bytes is locked by whoever has a database of SQLite open for write-ahead logging (or reads any other just now):
# SHARED_FIRST and SHARED_SIZE in https://sqlite.org/src/file/src/os.h.
_SHARED_FIRST, _SHARED_SIZE = 0x40000000 + 2, 510


@contextmanager
def stopped(home: Path, databases: Iterable[Path]) -> Iterator[None]:
    """Refuse a system that runs, and let none be started by `churn up` meanwhile.

    Parameters
    ----------
    home : Path
    databases : iterable of Path
        Its files of SQLite. This process must have none of them open.

    Yields
    ------
    None

    Raises
    ------
    InputError
        If it runs.
    """
    lock = home / UP_LOCK
    if not lock.is_file():
        _check(databases)
        yield
        return
    with lock.open("rb") as file:
        if not try_lock(file):
            raise InputError(f"{home}: a churn runs here (process {file.read(20).decode()}); stop it first")
        _check(databases)
        yield


def _check(databases: Iterable[Path]) -> None:
    if is_open := next(filter(_is_open, databases), None):
        raise InputError(f"{is_open}: another program has it open; stop what uses it first")


def _is_open(database: Path) -> bool:
    if not database.is_file():
        return False
    with database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except BlockingIOError:
            return True
    return False
