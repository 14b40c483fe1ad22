"""How predictions are written to a SQLite file: all or none, each once, at once where nobody is waited for."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from churn.contract import load_contract
from churn.errors import StoreError
from churn.store.predictions import sqlite_writer
from churn.store.predictions.sqlite_writer import STATEMENT_ROWS
from churn.store.store import Store
from tests.unit.churn.store.predictions.test_prediction_writer import rows

CONTRACT = load_contract()


def ids(store: Store) -> list[str]:
    found: list[str] = store.read_predictions(CONTRACT)["prediction_id"].tolist()
    return found


@pytest.mark.parametrize(
    "folder", ["#1", "50%20off", "Ünï côdé", "it's;x", "a&b=c", "[x]{y}", "$HOME", 'say "so"', "back\\slash"]
)
def test_the_folder_may_have_any_name_that_an_address_can_hold(tmp_path: Path, folder: str) -> None:
    store = Store.open(f"sqlite:///{tmp_path / folder / 'store.db'}")
    written = rows(1)
    store.write_rows(written)
    assert ids(store) == [written[0].prediction_id]
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == [folder], "another file was made"


def test_a_file_that_was_moved_is_not_written_any_more(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    store = Store.open(f"sqlite:///{here / 'store.db'}")
    first, lost, last = rows(1), rows(1), rows(1)
    store.write_rows(first)
    here.rename(there)
    with pytest.raises(StoreError):
        store.write_rows(lost)
    here.mkdir()
    with pytest.raises(StoreError):
        store.write_rows(lost)
    assert list(here.iterdir()) == [], "a new file, without tables, was made"
    here.rmdir()
    there.rename(here)
    store.write_rows(last)
    assert ids(store) == [first[0].prediction_id, last[0].prediction_id]
    store.close()


def test_a_file_that_was_replaced_is_the_store_from_then_on(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path / 'other.db'}").close()
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    store.write_rows(rows(1))
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"store.db{end}").rename(tmp_path / f"old.db{end}")
    (tmp_path / "other.db").rename(tmp_path / "store.db")
    given = rows(1)
    store.write_rows(given)
    store.close()
    again = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    assert ids(again) == [given[0].prediction_id]
    again.close()


def test_a_writer_waits_for_others_as_long_as_it_may(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", timeout_seconds=0.05)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.write_rows(rows(1))
        other.execute("ROLLBACK")
    store.write_rows(rows(1))
    store.close()


def test_a_few_rows_are_stored_at_once_unless_somebody_else_is_writing(tmp_path: Path) -> None:
    store, given = Store.open(f"sqlite:///{tmp_path / 'store.db'}"), rows(4)
    assert not store.write_rows_at_once(given[:1]), "whether the file is there is for the other way to find out"
    store.write_rows(given[:1])
    assert store.write_rows_at_once(given[:3])
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.write_rows_at_once(given[3:])
        other.execute("ROLLBACK")
    assert not store.write_rows_at_once(rows(STATEMENT_ROWS + 1)), "that would take long"
    assert not store.write_rows_at_once([given[3]._replace(model_version=None)])  # type: ignore[arg-type]
    assert store.write_rows_at_once(given[3:])
    assert ids(store) == [row.prediction_id for row in given]
    store.close()


@pytest.mark.parametrize("seen_first", [True, False])
def test_rows_stored_at_once_follow_a_file_that_was_replaced(tmp_path: Path, seen_first: bool) -> None:
    Store.open(f"sqlite:///{tmp_path / 'other.db'}").close()
    store, given = Store.open(f"sqlite:///{tmp_path / 'store.db'}"), rows(4)
    store.write_rows(given[:1])
    assert store.write_rows_at_once(given[1:2])
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"store.db{end}").rename(tmp_path / f"old.db{end}")
    if not seen_first:
        assert not store.write_rows_at_once(given[2:3])
    (tmp_path / "other.db").rename(tmp_path / "store.db")
    if seen_first:
        store.write_rows(given[2:3])
    assert store.write_rows_at_once(given[3:])
    store.close()
    again = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    assert ids(again) == [row.prediction_id for row in given[2 if seen_first else 3 :]]
    again.close()


def test_the_next_write_goes_through_the_same_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    connect = sqlite_writer.connect
    monkeypatch.setattr(sqlite_writer, "connect", lambda path, seconds: made.append(seconds) or connect(path, seconds))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    for _ in range(3):
        store.write_rows(rows(1))
    assert len(made) == 1
    store.close()


def test_rows_that_wait_for_nobody_are_written_at_once_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeouts: list[float] = []
    connect = sqlite_writer.connect
    monkeypatch.setattr(sqlite_writer, "connect", lambda path, seconds: timeouts.append(seconds) or connect(path, seconds))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    first, second, third = rows(1), rows(3), rows(1)
    assert not store.write_rows_at_once(first), "nobody has found out yet whether there is a store"
    store.write_rows(first)
    assert store.write_rows_at_once(second)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.write_rows_at_once(third)
        assert timeouts[-1] == 0.0, "its connection waits for no other writer"
        other.execute("ROLLBACK")
    assert store.write_rows_at_once(third)
    assert not store.write_rows_at_once(rows(STATEMENT_ROWS + 1))
    many = rows(STATEMENT_ROWS)
    assert store.write_rows_at_once(many)
    assert ids(store) == [row.prediction_id for row in (*first, *second, *third, *many)]
    (tmp_path / "store.db").rename(tmp_path / "moved.db")
    assert not store.write_rows_at_once(rows(1))
    store.close()


class Failing:
    """A connection whose disk has failed, and fails from then on."""

    def __init__(self) -> None:
        self.closed = False

    def execute(self, *said: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("at_once", [True, False])
def test_after_a_failure_the_next_write_begins_with_a_new_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    store, given = Store.open(f"sqlite:///{tmp_path / 'store.db'}"), rows(2)
    if at_once:
        store.write_rows(given[:1])
    failing = Failing()
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_writer, "connect", lambda path, seconds: failing)
        if at_once:
            assert not store.write_rows_at_once(given[1:])
        else:
            with pytest.raises(StoreError, match="disk I/O error"):
                store.write_rows(given[:1])
    assert failing.closed
    if at_once:
        assert store.write_rows_at_once(given[1:])
    else:
        store.write_rows(given)
    assert ids(store) == [row.prediction_id for row in given]
    store.close()
