"""While a newer version of churn has migrated the store: what an older one, which runs on, writes and reads."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from churn.contract import Contract
from churn.errors import StoreError
from churn.store.contacts.records import Contact
from churn.store.store import Store
from churn.store.tables import metadata
from tests.unit.churn.store.rows import NOON, OBSERVED, ids, monitor_run, outcome, prediction


def migrate_as_a_newer_version(store: Store) -> None:
    """Add what a migration may add: columns that may be null or have a default, a table, an index, and a revision."""
    with store.engine.begin() as connection:
        for name in metadata.tables:
            connection.execute(sa.text(f"ALTER TABLE {name} ADD COLUMN added_null INTEGER"))
            connection.execute(sa.text(f"ALTER TABLE {name} ADD COLUMN added_default INTEGER NOT NULL DEFAULT 7"))
        connection.execute(sa.text("CREATE TABLE added_table (id INTEGER PRIMARY KEY)"))
        connection.execute(sa.text("CREATE INDEX added_index ON predictions (model_version, churn)"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))


def use(store: Store, n: int) -> None:
    """Write as the service, the flows and the commands do."""
    store.write_predictions([prediction(n)])
    store.write_outcomes([outcome(f"p{n}")])
    store.write_contacts(
        [Contact(OBSERVED, customer_id=f"c{n}", campaign="may"), Contact(NOON, customer_id=f"c{n}", opt_out=True)]
    )
    store.write_monitor_run(monitor_run(last_seq=n + 1, last_outcome_seq=0))


def test_a_store_that_is_open_goes_on_through_a_migration_that_only_adds(store: Store, url: str, contract: Contract) -> None:
    # (From its fifth execution on, PostgreSQL's driver has a statement prepared: it must outlive the migration.)
    for n in range(6):
        use(store, n)
        ids(store, contract)
    migrate_as_a_newer_version(store)
    for n in range(6, 8):
        use(store, n)
    assert ids(store, contract) == [f"p{n}" for n in range(8)]
    assert store.count_outcomes() == store.count_opt_outs() == 8
    assert store.campaign_members("may") == {f"c{n}" for n in range(8)}
    assert len(store.monitor_runs()) == 8
    with pytest.raises(StoreError, match="use the version of churn that made it, or a newer one"):
        Store.open(url)
    # Why a migration only adds. (A renamed table also tells the tests on PostgreSQL that they need a new database.)
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE contacts RENAME TO renamed"))
    with pytest.raises(StoreError, match="contacts"):
        use(store, 8)
