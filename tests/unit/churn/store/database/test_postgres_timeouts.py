"""A connection to PostgreSQL gives up on a silent server; on a real one: test_postgres.py among the integration tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from churn.store.database.postgres_timeouts import TimeoutConnection, limit_waiting

Status = psycopg.pq.TransactionStatus


class Silent(TimeoutConnection):
    """A connection without a server."""

    def __init__(self, status: Any) -> None:
        self.pgconn: Any = SimpleNamespace(transaction_status=status)
        self.ended = False

    def __del__(self) -> None:
        """There is nothing to close."""

    def close(self) -> None:
        self.ended = True


@pytest.mark.parametrize(("status", "ended"), [(Status.ACTIVE, True), (Status.INTRANS, False), (Status.IDLE, False)])
def test_a_connection_whose_answer_is_due_is_closed(monkeypatch: pytest.MonkeyPatch, status: Any, ended: bool) -> None:
    waits: list[tuple[float, float | None]] = []

    def wait(_self: Any, _gen: Any, interval: float, timeout: float | None) -> None:
        waits.append((interval, timeout))
        raise psycopg.OperationalError("timeout")

    monkeypatch.setattr(psycopg.Connection, "wait", wait)
    connection, nothing = Silent(status), iter(())
    connection.timeout_seconds = 3.0
    for given in ({}, {"timeout": 0.5}, {"timeout": 0.0}):
        with pytest.raises(psycopg.OperationalError):
            connection.wait(nothing, **given)  # type: ignore[arg-type]
    assert waits == [(0.1, 3.0), (0.1, 0.5), (0.1, 0.0)]
    assert connection.ended is ended


def test_connections_of_an_engine_wait_a_second_longer_than_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    made = Silent(Status.IDLE)
    monkeypatch.setattr(TimeoutConnection, "connect", lambda *words, **settings: asked.append((words, settings)) or made)
    engine = sa.create_engine("postgresql+psycopg://server/churn")
    limit_waiting(engine, 5.0)
    found = [listener(None, None, ["words"], {"a": 1}) for listener in engine.dialect.dispatch.do_connect]
    assert found == [made]
    assert asked == [(("words",), {"a": 1})]
    assert made.timeout_seconds == 6.0
