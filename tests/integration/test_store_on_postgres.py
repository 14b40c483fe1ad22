"""The store's unit tests again, on a real PostgreSQL: those that take a database from outside. It is emptied after each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from churn.errors import StoreAway
from churn.store.predictions import window_reader
from churn.store.store import Store
from churn.store.tables import metadata
from tests.integration.postgres import Server
from tests.unit.churn.store import (
    test_decisions,
    test_erasure,
    test_export,
    test_monitor_runs,
    test_retention,
    test_sensitive_levels,
    test_shadow,
    test_upgrade,
)
from tests.unit.churn.store.contacts import test_campaign_counter, test_campaign_reader, test_contacts, test_opt_outs
from tests.unit.churn.store.outcomes import test_corrections, test_delays, test_outcomes, test_rows
from tests.unit.churn.store.predictions import test_last_seen, test_log_reader, test_prediction_writer, test_window_reader
from tests.unit.churn.store.treatment import test_labels

AGAIN = (
    *(
        test_decisions,
        test_erasure,
        test_export,
        test_monitor_runs,
        test_retention,
        test_sensitive_levels,
        test_shadow,
        test_upgrade,
    ),
    *(
        test_campaign_counter,
        test_campaign_reader,
        test_contacts,
        test_corrections,
        test_delays,
        test_opt_outs,
        test_outcomes,
        test_rows,
    ),
    *(test_labels, test_last_seen, test_log_reader, test_prediction_writer, test_window_reader),
)
for module in AGAIN:
    for name, found in list(vars(module).items()):
        if inspect.isfunction(found) and name.startswith("test_") and {"url", "store"} & set(inspect.signature(found).parameters):
            globals()[f"{module.__name__.rpartition('.')[2]}_{name}"] = found


class Emptied:
    """A database that is emptied between tests: a new one for each would take five times as long."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._databases = ExitStack()
        self.url = self._new()

    def _new(self) -> str:
        url = self._databases.enter_context(self._server.database())
        Store.open(url).close()
        with self._connected(url) as connection:
            self._begin_with_rows = [name for name in metadata.tables if connection.execute(f"TABLE {name}").fetchall()]
            connection.execute("CREATE SCHEMA new")
            for name in self._begin_with_rows:
                connection.execute(f"CREATE TABLE new.{name} AS TABLE {name}")
        return url

    def _connected(self, url: str) -> psycopg.Connection[tuple[Any, ...]]:
        return self._server.connect(str(sa.make_url(url).database))

    def cut(self) -> None:
        """End all other connections to it."""
        with self._connected(self.url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def empty(self) -> None:
        self.cut()  # one who was left in a transaction would be waited for
        with self._connected(self.url) as connection:
            try:
                connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
                for name in self._begin_with_rows:
                    connection.execute(f"INSERT INTO {name} TABLE new.{name}")
                return
            except psycopg.errors.UndefinedTable:  # a test has dropped or renamed one
                self.close()
        self.url = self._new()

    def close(self) -> None:
        self._databases.close()


@pytest.fixture(scope="module")
def emptied(postgres: Server) -> Iterator[Emptied]:
    with closing(Emptied(postgres)) as made:
        yield made


@pytest.fixture
def url(emptied: Emptied) -> Iterator[str]:
    yield emptied.url
    emptied.empty()


def test_a_server_is_always_waited_for(store: Store) -> None:
    rows = test_prediction_writer.rows
    store.write_rows(rows(1))
    assert not store.write_rows_at_once(rows(1))


def test_a_connection_that_breaks_while_a_window_is_read_is_one_error_and_no_traceback(
    store: Store, emptied: Emptied, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(window_reader, "PART_ROWS", 10)
    test_window_reader.fill(store, 100)
    parts = store.iter_predictions(test_window_reader.CONTRACT, "1", store.find_span("1", after_seq=0, newest=100))
    assert len(next(parts)) == 10
    emptied.cut()
    with pytest.raises(StoreAway, match=r"^the store cannot be reached: "):
        list(parts)
    assert not caplog.records
