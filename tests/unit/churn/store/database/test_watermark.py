"""In SQLite nothing is waited for. (With PostgreSQL's transactions: tests/integration/test_store_watermark.py.)"""

from __future__ import annotations

from churn.store.database.watermark import LARGEST, find_watermark
from churn.store.store import Store
from churn.store.tables import predictions
from tests.unit.churn.store.rows import prediction


def test_the_largest_number_of_all_for_a_database_with_one_writer(store: Store) -> None:
    store.write_predictions([prediction(1)])
    with store.engine.connect() as connection:
        assert find_watermark(connection, predictions, timeout_seconds=0.0) == LARGEST == 2**63 - 1
