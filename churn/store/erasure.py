"""Erase one customer from the store: predictions, outcomes, challengers' answers, contacts, sensitive levels.

The erasure itself is recorded.

An opt-out stays: it is kept under a digest, so that nobody calls a customer who asked to be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from churn.errors import StoreError
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.decisions import insert_decision
from churn.store.outcomes.count import count_removed
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.shadow import list_shadow_versions
from churn.store.tables import contacts, outcomes, predictions, sensitive_levels, shadow_predictions


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each table belonged to the customer."""

    predictions: int = 0
    outcomes: int = 0
    shadow_predictions: int = 0
    contacts: int = 0
    sensitive_levels: int = 0


def count_customer(engine: sa.Engine, names: Sequence[str]) -> int:
    """Count the predictions of a customer.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store.
    names : sequence of str
        The customer's id, and its pseudonym if there is one.

    Returns
    -------
    int

    Raises
    ------
    StoreError
        If the store is away.
    """
    query = sa.select(sa.func.count()).select_from(predictions).where(predictions.c.customer_id.in_(names))
    with translated(), engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def erase_customer(engine: sa.Engine, names: Sequence[str], *, reason: str, spooled: int = 0) -> Erased:
    """Erase all rows of a customer, all or none, and record that it was done, without the name.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store.
    names : sequence of str
        The customer's id, and its pseudonym if there is one.
    reason : str
        For the record. It must not name the customer either.
    spooled : int
        How many rows were erased on disk before they reached the store, for the record.

    Returns
    -------
    Erased

    Raises
    ------
    StoreError
        If the store is away; nothing is erased then. Also if SQLite's file could not be cleaned because it is in use: the rows
        are erased then, and erasing again cleans the file.
    """
    with translated():
        erased = _erase_and_record(engine, names, reason, spooled)
    if engine.dialect.name == "sqlite":
        _clean_file(engine)
    return erased


# An outcome may be stored after the customer's predictions were found and before they are removed.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(5), reraise=True)
def _erase_and_record(engine: sa.Engine, names: Sequence[str], reason: str, spooled: int) -> Erased:
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Without it, removed rows stay in the file until something else is written over them.
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        erased = _erase(connection, names)
        evidence = asdict(erased) | {"spooled": spooled}
        decision = Decision(DecisionKind.ERASURE, DecisionAction.ERASED, "operator", reason, None, evidence)
        insert_decision(connection, decision)
        connection.commit()
    return erased


def _erase(connection: sa.Connection, names: Sequence[str]) -> Erased:
    rows = sa.select(predictions.c.seq, predictions.c.prediction_id).where(predictions.c.customer_id.in_(names))
    found = connection.execute(rows.with_for_update()).all()
    named = sa.delete(contacts).where(contacts.c.customer_id.in_(names))
    labelled, shadow, contacted = 0, 0, connection.execute(named).rowcount
    levels = connection.execute(sa.delete(sensitive_levels).where(sensitive_levels.c.customer_id.in_(names))).rowcount
    for chunk in chunks(found):
        ids, numbers = [row.prediction_id for row in chunk], [row.seq for row in chunk]
        removed = list(connection.execute(sa.select(outcomes.c.seq).where(outcomes.c.prediction_id.in_(ids))).scalars())
        connection.execute(sa.delete(outcomes).where(outcomes.c.seq.in_(removed)))
        count_removed(connection, removed)
        labelled += len(removed)
        for version in list_shadow_versions(connection):
            of_customer = shadow_predictions.c.prediction_id.in_(ids), shadow_predictions.c.model_version == version
            shadow += connection.execute(sa.delete(shadow_predictions).where(*of_customer)).rowcount
        contacted += connection.execute(sa.delete(contacts).where(contacts.c.prediction_id.in_(ids))).rowcount
        connection.execute(sa.delete(predictions).where(predictions.c.seq.in_(numbers)))
    return Erased(len(found), labelled, shadow, contacted, levels)


def _clean_file(engine: sa.Engine) -> None:
    """Rewrite SQLite's file without what was removed earlier, and empty its write-ahead log."""
    try:
        with translated(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
    except StoreError as error:
        raise StoreError(
            f"erased, but the file could not be cleaned ({error}); do it again when nothing uses the store"
        ) from error
    if busy:
        raise StoreError("erased, but somebody reads the write-ahead log; do it again in a moment, so that it is emptied too")
