"""Watermark of a growing table: the number below which no new row can appear.

PostgreSQL numbers rows when they are written and shows them when their transaction ends, so a row with a smaller number can
appear after one with a larger number. A reader that continues from the largest number would miss it for good. The order of
transaction ids does not help: one with a larger id may draw the smaller number. So a reader takes the largest number that it
sees, then waits for the transactions that are writing at that moment: any that drew a smaller number is among them. PostgreSQL
builds an index beside writers in the same way (CREATE INDEX CONCURRENTLY). Writers never wait for a reader.
"""

from __future__ import annotations

import time

import sqlalchemy as sa

from churn.errors import StoreError

# Longer than a transaction of ours may take: those of the service end after CHURN_STORE_TIMEOUT_SECONDS.
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.01
LARGEST = 2**63 - 1
# A transaction that inserts holds this lock on the table before it draws its first number, and until others see its rows.
_WRITERS = sa.text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = CAST(:name AS regclass) AND pid <> pg_backend_pid()"
)


def find_watermark(connection: sa.Connection, table: sa.Table, timeout_seconds: float = TIMEOUT_SECONDS) -> int:
    """Return the largest number up to which no further row of a table can appear.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        At the isolation level READ COMMITTED, which is the default.
    table : sqlalchemy.Table
        With a column `seq`.
    timeout_seconds : float
        How long to wait for transactions that are writing.

    Returns
    -------
    int
        In SQLite, which has one writer at a time, the largest possible number.

    Raises
    ------
    StoreError
        If one of them is still writing after `timeout_seconds`.
    """
    if connection.dialect.name != "postgresql":
        return LARGEST
    newest = int(connection.execute(sa.select(sa.func.max(table.c.seq))).scalar_one() or 0)
    writing = _writers(connection, table)
    deadline = time.monotonic() + timeout_seconds
    while writing:
        if time.monotonic() > deadline:
            raise StoreError(
                f"a transaction has been writing {table.name} for more than {timeout_seconds:g} s, and nothing is read before it "
                "ends; pg_stat_activity shows whose it is"
            )
        time.sleep(POLL_SECONDS)
        writing &= _writers(connection, table)
    return newest


def _writers(connection: sa.Connection, table: sa.Table) -> set[str]:
    return set(connection.execute(_WRITERS, {"name": table.name}).scalars())
