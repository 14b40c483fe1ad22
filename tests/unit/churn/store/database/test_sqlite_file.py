"""A SQLite file that is moved, removed or replaced under an engine that has connections to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from churn.errors import StoreError
from churn.store.database.engine import make_engine, translated


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return holding(tmp_path / "store.db", "first")


def holding(path: Path, text: str) -> sa.Engine:
    engine = make_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE known (text)")
        connection.exec_driver_sql("INSERT INTO known VALUES (?)", (text,))
    return engine


def texts(engine: sa.Engine) -> list[str]:
    with translated(), engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT text FROM known").scalars())


def test_a_file_that_is_gone_is_neither_used_nor_made_again(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.connect():
        pass
    (tmp_path / "store.db").rename(tmp_path / "moved.db")
    for _ in range(3):
        with pytest.raises(StoreError, match="file is gone"):
            texts(engine)
    assert not (tmp_path / "store.db").exists()
    (tmp_path / "moved.db").rename(tmp_path / "store.db")
    assert texts(engine) == ["first"]
    engine.dispose()


def test_of_a_file_that_was_replaced_the_new_one_is_read(engine: sa.Engine, tmp_path: Path) -> None:
    assert texts(engine) == ["first"]
    engine.dispose()  # what lies in the write-ahead log is moved into the file
    assert texts(engine) == ["first"]
    other = holding(tmp_path / "restored.db", "restored")
    other.dispose()
    (tmp_path / "restored.db").replace(tmp_path / "store.db")
    assert texts(engine) == ["restored"]
    engine.dispose()


def test_several_connections_to_a_new_file_are_all_kept(tmp_path: Path) -> None:
    engine = holding(tmp_path / "store.db", "first")
    with engine.connect() as one, engine.connect() as other:
        kept = {one.connection.dbapi_connection, other.connection.dbapi_connection}
    with engine.connect() as one, engine.connect() as other:
        assert {one.connection.dbapi_connection, other.connection.dbapi_connection} == kept
    engine.dispose()
