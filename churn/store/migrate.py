"""Migrate a database to the newest schema, one process at a time."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from churn.config.urls import shown
from churn.errors import StoreAway, StoreError
from churn.store.database.engine import describe_error, make_engine

# An arbitrary number that nothing else in the database uses.
MIGRATION_LOCK = 4_287_001
_HOLDER = sa.text(
    "SELECT l.pid, a.state, a.xact_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objid = :lock AND l.granted AND l.database = a.datid"
)
logger = logging.getLogger(__name__)


def migrate(url: str) -> str:
    """Migrate a database to the newest schema. A new one is made; one that is up to date is not touched.

    Parameters
    ----------
    url : str
        Of SQLite or PostgreSQL.

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
    config = _config()
    engine = make_engine(url)
    try:
        try:
            connection = engine.connect()
        except OperationalError as error:
            raise StoreAway(f"the store cannot be reached: {describe_error(error)} ({shown(url)})") from error
        with connection:
            if connection.dialect.name == "sqlite":
                # To alter a table that others refer to, it is rebuilt. This setting has no effect within a transaction.
                connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            _lock_migrations(connection)
            check_revision(MigrationContext.configure(connection).get_current_revision(), shown(url))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            revision = str(MigrationContext.configure(connection).get_current_revision())
            connection.commit()
        return revision
    except (SQLAlchemyError, CommandError) as error:
        raise StoreError(f"the store cannot be set up: {describe_error(error)} ({shown(url)})") from error
    finally:
        engine.dispose()


def check_revision(revision: str | None, whose: str) -> None:
    """Refuse a schema that this version does not know.

    Parameters
    ----------
    revision : str or None
        None is no schema at all, and fine.
    whose : str

    Raises
    ------
    StoreError
    """
    scripts = ScriptDirectory.from_config(_config())
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        known = scripts.get_current_head()
        todo = "use the version of churn that made it, or a newer one"
        raise StoreError(
            f"the store is of another version of churn: its schema is {revision}, this one's is {known}; {todo} ({whose})"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "churn.store:migrations")
    return config


def _lock_migrations(connection: sa.Connection) -> None:
    """Wait until no other process migrates this database, and keep others out until the transaction ends.

    Who waits says for whom: one that was stopped in the middle keeps the others out until somebody ends it.
    """
    if connection.dialect.name == "postgresql":
        if not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(MIGRATION_LOCK))):
            for pid, state, since in connection.execute(_HOLDER, {"lock": MIGRATION_LOCK}):
                message = "waiting for another process that migrates the store: PostgreSQL's process %d, %s since %s"
                logger.warning(message, pid, state, f"{since:%Y-%m-%d %H:%M:%S %Z}")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
    else:
        # The driver begins no transaction before it makes tables, so two processes would make the same ones.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
