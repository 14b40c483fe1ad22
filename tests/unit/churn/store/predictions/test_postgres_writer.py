"""What a writer for PostgreSQL does when the server was restarted, refuses or is away. (Rows: test_store_on_postgres.py.)"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from churn.errors import RowsRefused, StoreError
from churn.store.predictions.postgres_writer import PostgresRowWriter, copy_text
from churn.store.records import PredictionRow
from tests.unit.churn.store.predictions.test_prediction_writer import rows


class Connection:
    """A connection of psycopg's, as far as it is used; `errors` are raised one by one."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors, self.sent, self.broken, self.closed = errors, list[str](), False, False
        self.autocommit = self.rolled_back = self.detached = False

    driver_connection = property(lambda self: self)

    def detach(self) -> None:
        self.detached = True

    def rollback(self) -> None:
        self.rolled_back = True

    def execute(self, _statement: bytes, given: list[str]) -> None:
        assert (self.autocommit, self.rolled_back, self.detached) == (True, True, True)
        if self.errors:
            self.broken = isinstance(error := self.errors.pop(0), psycopg.OperationalError)
            raise error
        self.sent += given

    def close(self) -> None:
        self.closed = True


class Engine:
    """Gives out connections; the first has the errors."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.made = list(errors), list[Connection]()

    def raw_connection(self) -> Connection:
        self.made.append(Connection(self.errors))
        return self.made[-1]


def writer(engine: Engine) -> PostgresRowWriter:
    given: Any = engine
    return PostgresRowWriter(given)


def test_rows_are_one_text_and_the_connection_is_kept() -> None:
    engine, given = Engine(), rows(2)
    one = writer(engine)
    one.write(given)
    one.write(given[:1])
    [connection] = engine.made
    assert [json.loads(text) for text in connection.sent] == [[list(row) for row in given], [list(given[0])]]
    assert not one.write_at_once(given), "a server always has to be waited for"
    one.close()
    one.close()
    assert connection.closed


def test_a_connection_that_a_restart_cut_is_made_anew_once() -> None:
    engine = Engine()
    one = writer(engine)
    one.write(rows(1))
    engine.errors.append(psycopg.OperationalError("terminating connection"))
    one.write(rows(1))
    assert [(made.closed, len(made.sent)) for made in engine.made] == [(True, 1), (False, 1)]
    engine.errors += [psycopg.OperationalError("gone"), psycopg.OperationalError("still gone")]
    with pytest.raises(StoreError):
        one.write(rows(1))
    assert len(engine.made) == 3
    assert engine.made[-1].closed


def test_a_first_connection_that_fails_is_not_tried_twice() -> None:
    engine = Engine(psycopg.OperationalError("no server"))
    with pytest.raises(StoreError):
        writer(engine).write(rows(1))
    [connection] = engine.made
    assert connection.closed


@pytest.mark.parametrize("error", [psycopg.errors.NotNullViolation("of c1"), psycopg.errors.InvalidTextRepresentation("c1")])
def test_refused_rows_are_told_from_a_store_that_is_away_and_no_value_is_said(error: Exception) -> None:
    engine = Engine(error)
    one = writer(engine)
    with pytest.raises(RowsRefused) as refused:
        one.write(rows(1))
    assert str(refused.value) == type(error).__name__
    one.write(rows(1))
    assert len(engine.made) == 1, "the connection is as good as before"


def test_other_errors_of_the_server_end_the_connection() -> None:
    engine = Engine(psycopg.errors.ReadOnlySqlTransaction("read-only"))
    one = writer(engine)
    with pytest.raises(StoreError):
        one.write(rows(1))
    one.write(rows(1))
    assert [made.closed for made in engine.made] == [True, False]


def test_backslashes_are_written_so_that_copy_reads_them_back() -> None:
    row = PredictionRow("1", r"a\b", "2026-03-01 00:00:00", "7", 0.1 + 0.2, 0.5, True, r'{"x":"\u00e9\\"}', True)
    first, second, end = copy_text([row, row._replace(customer_id=None, features="{}")]).decode().split("\n")
    assert first.split("\t") == [
        *("1", r"a\\b", "2026-03-01 00:00:00+00", "7", "0.30000000000000004", "0.5", "True", r'{"x":"\\u00e9\\\\"}', "True")
    ]
    assert second.split("\t")[1] == r"\N"
    assert end == ""
    assert copy_text([]) == b""
