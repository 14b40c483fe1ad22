"""Which writer suits a database, and the one for a database in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from churn.errors import RowsRefused, StoreError
from churn.store.predictions.postgres_writer import PostgresRowWriter
from churn.store.predictions.row_writer import EngineRowWriter, make_row_writer
from churn.store.predictions.sqlite_writer import SqliteRowWriter
from churn.store.records import PredictionRow
from churn.store.tables import metadata, predictions
from tests.unit.churn.store.predictions.test_prediction_writer import rows


def test_each_database_has_its_own(tmp_path: Path) -> None:
    def of(url: str) -> object:
        return make_row_writer(sa.create_engine(url), 1.0)

    assert isinstance(of(f"sqlite:///{tmp_path}/store.db"), SqliteRowWriter)
    assert isinstance(of("sqlite://"), EngineRowWriter)
    assert isinstance(of("sqlite:///:memory:"), EngineRowWriter)
    server: Any = SimpleNamespace(url=sa.make_url("postgresql://server/churn"), dialect=SimpleNamespace(name="postgresql"))
    assert isinstance(make_row_writer(server, 1.0), PostgresRowWriter)


def stored(engine: sa.Engine) -> Sequence[str]:
    with engine.connect() as connection:
        return connection.execute(sa.select(predictions.c.prediction_id)).scalars().all()


def test_in_memory_rows_are_stored_once_all_or_none() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    writer = EngineRowWriter(engine)
    given = rows(3)
    with pytest.raises(StoreError, match="predictions"):
        writer.write(given)
    metadata.create_all(engine)
    writer.write(given[:2])
    writer.copy(given[1:])
    assert not writer.write_at_once(rows(1)), "nothing of it is known to be fast"
    refused: list[PredictionRow] = [*rows(1), rows(1)[0]._replace(model_version=None)]  # type: ignore[arg-type]
    with pytest.raises(RowsRefused, match=r"^IntegrityError$"):
        writer.write(refused)
    writer.close()
    assert stored(engine) == [row.prediction_id for row in given]
