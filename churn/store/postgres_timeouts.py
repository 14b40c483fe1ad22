"""Connections to PostgreSQL that give up on a server that says nothing. Imported only where one is used.

The server's own limit (`statement_timeout`) ends a statement that is slow, and TCP notices a peer that is gone. Neither helps
against a server that is there and stands still: stopped, frozen with its machine, or waiting for a disk that never answers.
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
        """See `psycopg.Connection.wait`."""
        try:
            return super().wait(gen, interval, self.timeout_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                # Whatever comes now would be taken for the answer to something else.
                self.close()
            raise


def limit_waiting(engine: sa.Engine, seconds: float) -> None:
    """Let no connection of an engine wait for an answer for longer than that, and a little."""

    @sa.event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, words: list[Any], settings: dict[str, Any]) -> TimeoutConnection:
        connection = TimeoutConnection.connect(*words, **settings)
        connection.timeout_seconds = seconds + GRACE_SECONDS
        return connection
