"""How far the numbering of a table is settled: below that number nothing can appear any more.

PostgreSQL numbers rows when they are written and shows them when their transaction ends, so that a row with a smaller number
can come after one with a larger. Whoever reads on from a number would pass it over for good. The order of transactions' ids is
no help: one with a larger id may draw the smaller number. So a reader takes the newest number that it sees, then waits for the
transactions that are writing at that moment: whoever drew a smaller number is among them. That is how PostgreSQL itself builds
an index while others write (CREATE INDEX CONCURRENTLY). Nobody who writes ever waits for a reader.
"""

from __future__ import annotations

import time

import sqlalchemy as sa

from churn.errors import StoreError

# More than a transaction of ours may take: the service's end after CHURN_STORE_TIMEOUT_SECONDS.
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.01
LARGEST = 2**63 - 1
# Whoever inserts holds this lock on the table from before it draws its first number until others see its rows.
_WRITERS = sa.text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = CAST(:name AS regclass) AND pid <> pg_backend_pid()"
)


def find_watermark(connection: sa.Connection, table: sa.Table, timeout_seconds: float = TIMEOUT_SECONDS) -> int:
    """Give a number up to which every row of `table` that will ever be there is there, as new as possible.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Of whose statements each sees what is there when it begins (READ COMMITTED, the default).
    table : sqlalchemy.Table
        With a column `seq`.

    Raises
    ------
    StoreError
        If somebody has been writing for longer than `timeout_seconds`.
    """
    if connection.dialect.name != "postgresql":
        return LARGEST  # SQLite has one writer at a time
    newest = int(connection.execute(sa.select(sa.func.max(table.c.seq))).scalar_one() or 0)
    writing = _writers(connection, table)
    deadline = time.monotonic() + timeout_seconds
    while writing:
        if time.monotonic() > deadline:
            raise StoreError(
                f"somebody has been writing {table.name} in one transaction for more than {timeout_seconds:g} s; "
                "nothing is judged before it ends: pg_stat_activity tells who"
            )
        time.sleep(POLL_SECONDS)
        writing &= _writers(connection, table)
    return newest


def _writers(connection: sa.Connection, table: sa.Table) -> set[str]:
    return set(connection.execute(_WRITERS, {"name": table.name}).scalars())
