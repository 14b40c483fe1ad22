"""Cross-host lock: a PostgreSQL advisory lock, or flock beside SQLite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from churn.errors import Busy
from churn.store.locks.postgres_lock import PostgresLock
from churn.store.locks.sqlite_lock import SqliteLock

POLL_SECONDS = 0.5
MAX_TRIES = 20


class Lock(Protocol):
    """One lock in one kind of database. Every method but `release` raises StoreError if the database is away."""

    def try_acquire(self) -> bool:
        """Take the lock if it is free. Return whether this object holds it; ask again to make sure that it still does."""

    def holder(self) -> str:
        """Return who holds it and since when; empty if nobody does."""

    def release(self) -> None:
        """Release it. Never fails: it ends with the process anyway."""


class HeldLock:
    """A lock while it is held."""

    def __init__(self, name: str, lock: Lock) -> None:
        self._name = name
        self._lock = lock

    def confirm(self) -> None:
        """Make sure that the lock is still held, before a step that must not be made twice: a restarted database forgets it.

        Raises
        ------
        Busy
            If somebody else holds it by now.
        StoreError
            If the store is away.
        """
        _acquire(self._lock, self._name)


@contextmanager
def acquire_lock(
    engine: sa.Engine,
    name: str,
    holder: str,
    *,
    timeout_seconds: float = 0.0,
    on_wait: Callable[[str], None] = lambda _holder: None,
) -> Iterator[HeldLock]:
    """Hold a lock for a `with` block.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store. Behind a pooler of PostgreSQL, sessions must be pooled, not transactions.
    name : str
        What is done by one process at a time, such as "training".
    holder : str
        Who does it, for those who come meanwhile. PostgreSQL keeps some 50 characters of it.
    timeout_seconds : float
        How long to wait for the lock.
    on_wait : callable
        Called once with the holder, if there is somebody to wait for.

    Yields
    ------
    HeldLock

    Raises
    ------
    Busy
        If somebody else holds it all that time; the message names them.
    StoreError
        If the store is away.
    """
    lock = _lock(engine, name, holder)
    try:
        _acquire(lock, name, timeout_seconds, on_wait)
        yield HeldLock(name, lock)
    finally:
        lock.release()


def find_holder(engine: sa.Engine, name: str) -> str:
    """Return who holds a lock now, and since when.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store.
    name : str
        As in `acquire_lock`.

    Returns
    -------
    str
        Empty if nobody holds it.
    """
    lock = _lock(engine, name, "")
    try:
        return lock.holder()
    finally:
        lock.release()


def _acquire(lock: Lock, name: str, timeout_seconds: float = 0.0, on_wait: Callable[[str], None] = lambda _holder: None) -> None:
    deadline = time.monotonic() + timeout_seconds
    reported, free_tries = False, 0
    while not lock.try_acquire():
        left, other = deadline - time.monotonic(), lock.holder()
        # Asking who holds a file's lock takes it for a moment, and a database ends a session that broke off a moment later: a
        # lock without a holder is tried again, even without time left.
        free_tries = free_tries + 1 if not other else 0
        if left <= 0 and (other or free_tries > MAX_TRIES):
            raise Busy(name, other)
        if other and not reported:
            reported = True
            on_wait(other)
        time.sleep(min(POLL_SECONDS, max(left, POLL_SECONDS / 50)))


def _lock(engine: sa.Engine, name: str, holder: str) -> Lock:
    if engine.dialect.name == "postgresql":
        return PostgresLock(engine, name, holder)
    database = engine.url.database
    # A database in memory belongs to one process: nobody else can come.
    return SqliteLock(Path(f"{database}.{name}.lock"), holder) if database not in (None, "", ":memory:") else _NoLock()


class _NoLock:
    def try_acquire(self) -> bool:
        return True

    def holder(self) -> str:
        return ""

    def release(self) -> None:
        pass
