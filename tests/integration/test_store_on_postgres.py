"""The store's unit tests again, each on an empty database of a real PostgreSQL: those that take a database from outside."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

from churn.store.store import Store
from tests.integration.postgres import Server
from tests.unit.churn.store import (
    test_decisions,
    test_erasure,
    test_export,
    test_monitor_runs,
    test_retention,
    test_shadow,
    test_treatment,
)
from tests.unit.churn.store.contacts import test_campaign_counter, test_campaign_reader, test_contacts
from tests.unit.churn.store.outcomes import test_corrections, test_delays, test_outcomes, test_pieces
from tests.unit.churn.store.predictions import test_last_seen, test_log_reader, test_prediction_writer, test_window_reader

AGAIN = (
    *(test_decisions, test_erasure, test_export, test_monitor_runs, test_retention, test_shadow, test_treatment),
    *(test_campaign_counter, test_campaign_reader, test_contacts, test_corrections, test_delays, test_outcomes, test_pieces),
    *(test_last_seen, test_log_reader, test_prediction_writer, test_window_reader),
)
for module in AGAIN:
    for name, test in list(vars(module).items()):
        if inspect.isfunction(test) and name.startswith("test_") and {"url", "store"} & set(inspect.signature(test).parameters):
            globals()[f"{module.__name__.rpartition('.')[2]}_{name}"] = test


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    with postgres.database() as address:
        yield address


def test_a_server_is_always_waited_for(store: Store) -> None:
    rows = test_prediction_writer.rows
    store.write_rows(rows(1))
    assert not store.write_rows_at_once(rows(1))
