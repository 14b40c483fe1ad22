"""Connections to PostgreSQL that give up on a silent server. Imported only where PostgreSQL is used.

The server's own limit (`statement_timeout`) ends a slow statement, and TCP detects a peer that is gone. Neither helps against a
server that is reachable but stands still: stopped, frozen with its machine, or waiting for a disk.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import PQGen

# The server's own limit comes first: it leaves the connection usable.
GRACE_SECONDS = 1.0
Answer = TypeVar("Answer")


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that is closed, with an OperationalError, when an answer takes longer than `timeout_seconds`."""

    timeout_seconds: float | None = None

    def wait(self, gen: PQGen[Answer], interval: float = 0.1, timeout: float | None = None) -> Answer:
        """Run a generator of psycopg to its end; see `psycopg.Connection.wait`.

        Parameters
        ----------
        gen : generator
            Of psycopg.
        interval : float
            How often to check for signals, in seconds.
        timeout : float, optional
            In seconds; by default, `timeout_seconds`.

        Returns
        -------
        object
            What the generator returns.

        Raises
        ------
        psycopg.OperationalError
            If it takes longer.
        """
        try:
            return super().wait(gen, interval, self.timeout_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                # An answer that comes later would be taken for that to another statement.
                self.close()
            raise


def limit_waiting(engine: sa.Engine, seconds: float) -> None:
    """Close a connection of an engine that waits longer for an answer.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of PostgreSQL.
    seconds : float
        The server's own limit; one second is added to it.
    """

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: list[Any], settings: dict[str, Any]) -> TimeoutConnection:
        connection = TimeoutConnection.connect(*words, **settings)
        connection.timeout_seconds = seconds + GRACE_SECONDS
        return connection
