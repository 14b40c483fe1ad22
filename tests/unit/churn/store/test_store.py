"""Opening and closing a store, and what it says of itself. (Each part has tests of its own.)"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from churn.errors import Busy, InputError, StoreError
from churn.store.store import TIMEOUT_SECONDS, Store
from churn.store.tables import metadata
from tests.unit.churn.store.rows import prediction


def test_a_new_database_has_every_table_and_one_that_is_there_keeps_its_rows(url: str) -> None:
    for expected in (0, 1):
        store = Store.open(url)
        assert store.count_predictions() == expected
        assert set(metadata.tables) < set(sa.inspect(store.engine).get_table_names())
        store.write_predictions([prediction(1)])
        store.close()


def test_a_store_answers_until_its_file_is_away(store: Store, tmp_path: Path) -> None:
    store.ping()
    assert store.single_writer
    store.close()
    (tmp_path / "state" / "store.db").rename(tmp_path / "state" / "moved.db")
    (tmp_path / "state" / "store.db").mkdir()
    with pytest.raises(StoreError, match="unable to open"):
        store.ping()


def test_a_url_of_nothing_that_is_known_and_a_file_that_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not 'mysql'"):
        Store.open("mysql://db/churn")
    (tmp_path / "letter.db").write_text("Dear customer, " * 200)
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(f"sqlite:///{tmp_path}/letter.db")


def test_a_writer_waits_for_others_as_long_as_it_was_told(url: str) -> None:
    assert TIMEOUT_SECONDS == 15.0
    Store.open(url).close()
    impatient = Store.open(url, timeout_seconds=0.01)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            impatient.write_rows([prediction(1).row()])
        assert not impatient.write_rows_at_once([prediction(1).row()])
        other.execute("ROLLBACK")
    impatient.write_rows([prediction(1).row()])
    assert impatient.count_predictions() == 1
    impatient.close()


def test_a_closed_store_has_no_connection_left(store: Store, url: str) -> None:
    store.write_rows([prediction(1).row()])
    store.ping()
    store.close()
    # With none left, SQLite has folded its write-ahead log into the file.
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
        assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)


def test_a_lock_is_held_by_one_and_named_by_its_holder(store: Store) -> None:
    assert store.lock_holder("training") == ""
    waited: list[str] = []
    with store.lock("training", "ada"):
        assert store.lock_holder("training").startswith("ada, since ")
        assert store.lock_holder("scoring") == ""
        with pytest.raises(Busy, match="ada"), store.lock("training", "eve", timeout_seconds=0.01, on_wait=waited.append):
            pass
        with store.lock("scoring", "eve"):
            pass
    assert [who.split(",")[0] for who in waited] == ["ada"]
    assert store.lock_holder("training") == ""
