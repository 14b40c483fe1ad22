"""Bringing a database to the newest schema, by one process at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from churn.errors import StoreAway, StoreError
from churn.store.engine import make_engine, plain

# Any number will do, as long as nothing else in the database uses it.
MIGRATION_LOCK = 4_287_001


def migrate(url: str) -> str:
    """Bring the database at `url` to the newest schema; one that is new is made, one that is up to date untouched.

    Returns
    -------
    str
        The revision it has now.

    Raises
    ------
    StoreAway
        If the database cannot be reached.
    StoreError
        If it cannot be migrated.
    """
    config = Config()
    config.set_main_option("script_location", "churn.store:migrations")
    engine = make_engine(url)
    try:
        try:
            connection = engine.connect()
        except OperationalError as error:
            raise StoreAway(f"the store cannot be reached: {plain(error)}") from error
        with connection:
            if connection.dialect.name == "sqlite":
                # Tables that others refer to are made anew; this cannot be said within a transaction.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            _take_turn(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            revision = str(MigrationContext.configure(connection).get_current_revision())
            connection.commit()
        return revision
    except (SQLAlchemyError, CommandError) as error:
        raise StoreError(f"the store cannot be set up: {plain(error)}") from error
    finally:
        engine.dispose()


def _take_turn(connection: sa.Connection) -> None:
    """Let one process migrate at a time: the others wait here until it has committed, and then find nothing to do."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    else:
        # The driver begins no transaction before it reads or makes tables, and so would let two processes make the same.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
