"""Checkpoints of a SQLite file: move its write-ahead log into the database outside of anybody's commit."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

# Each checkpoint makes those who write at that moment wait for the disk, so there are few of them.
CHECKPOINT_SECONDS = 5.0
# Above it, writers are held up for a moment so that the write-ahead log can begin anew.
MAX_WAL_BYTES = 256 * 2**20
# How long that moment may be: a reader that stays longer is waited for in the next round.
RESTART_SECONDS = 0.05
# Prepared statements that a connection keeps.
CACHED_STATEMENTS = 128
logger = logging.getLogger(__name__)


class Checkpoints:
    """Thread that moves the write-ahead log into the database, through a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, without waiting for a checkpoint that runs."""
        self._stopped.set()

    def _run(self) -> None:
        # When the log had changed in the last two rounds, if both moved all of it. Compared with each other and with no clock:
        # after a clock was set back, there would be no checkpoint until it has caught up.
        done: tuple[int | None, int | None] = None, None
        while not self._stopped.wait(CHECKPOINT_SECONDS):
            try:
                if not self._wal.exists():
                    continue
                changed = self._wal.stat().st_mtime_ns
                # Two rounds, as what was written a moment after one may bear the same time.
                if done == (changed, changed):
                    self._shrink()
                    continue
                with closing(connect(self._path, RESTART_SECONDS)) as connection:
                    moved = checkpoint(connection, MAX_WAL_BYTES)
                done = (done[1], changed) if moved else (None, None)
            except (sqlite3.Error, OSError) as error:
                # Another process may be at it, or the file away: the next round tries again.
                logger.debug("no checkpoint: %s", error)

    def _shrink(self) -> None:
        # Only while nobody writes: to cut off 200 MB takes .2 s, and the system's page cache and the disk have work with it.
        if self._wal.stat().st_size > MAX_WAL_BYTES:
            with closing(connect(self._path, RESTART_SECONDS)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def checkpoint(connection: sqlite3.Connection, max_wal_bytes: int) -> bool:
    """Move what can be moved while others read and write; if the log is too large, also the rest, so that it begins anew.

    Parameters
    ----------
    connection : sqlite3.Connection
    max_wal_bytes : int
        How much of the log may be in use. Its file does not shrink: it is written from its beginning.

    Returns
    -------
    bool
        Whether all of it was moved.
    """
    _, used, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    if used * page > max_wal_bytes:
        # What was written meanwhile is moved before writers are held up, so that they wait for little.
        for _ in range(2):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
    return bool(used == moved)


def connect(path: Path, timeout_seconds: float) -> sqlite3.Connection:
    """Open a SQLite file for writing, without automatic checkpoints.

    Nor has the write-ahead log's file a limit: SQLite would cut it off inside the commit that begins the log anew.

    Parameters
    ----------
    path : pathlib.Path
        It must be there: a file that is gone must not be made anew, without its tables.
    timeout_seconds : float
        How long to wait for others that write.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode, for use by any thread.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",  # as it escapes what means something in a URI: # and % may be in a folder's name
        uri=True,
        timeout=timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection
