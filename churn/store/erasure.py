"""Erasing one customer from the store: what was asked about them, answered, and came true. That it was done is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from churn.errors import StoreError
from churn.store.engine import translated
from churn.store.outcome_count import keep_count
from churn.store.outcomes import chunks
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from churn.store.tables import decisions, outcomes, predictions, shadow_predictions


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each table were of the customer."""

    predictions: int = 0
    outcomes: int = 0
    shadow_predictions: int = 0


def count_customer(store: Store, names: Sequence[str]) -> int:
    """Count the predictions of a customer, by any of the names that stand for them."""
    query = sa.select(sa.func.count()).select_from(predictions).where(predictions.c.customer_id.in_(names))
    with translated(), store.engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def erase_customer(store: Store, names: Sequence[str], *, reason: str, spooled: int = 0) -> Erased:
    """Erase all records of a customer, all or none, and write down that it was done, without the name.

    Parameters
    ----------
    store : Store
    names : list of str
        The customer's id, and its pseudonym if there are any.
    reason : str
        For the record. It must not name the customer either.
    spooled : int
        How many were erased on disk before they came to the store, for the record.

    Raises
    ------
    StoreError
        If the store is away; nothing is erased then. Also if SQLite's file could not be cleaned, because somebody uses it: the
        rows are erased then, and doing it again cleans it.
    """
    with translated():
        erased = _erase_and_note(store, names, reason, spooled)
    if store.engine.dialect.name == "sqlite":
        _clean_file(store)
    return erased


# An outcome may come between the look at the customer's predictions and their removal.
@retry(retry=retry_if_exception_type(IntegrityError), stop=stop_after_attempt(5), reraise=True)
def _erase_and_note(store: Store, names: Sequence[str], reason: str, spooled: int) -> Erased:
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # Else what was removed stays in the file until something else is written over it.
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        erased = _erase(connection, names)
        evidence = asdict(erased) | {"spooled": spooled}
        connection.execute(
            decisions.insert(),
            [asdict(Decision(DecisionKind.ERASURE, DecisionAction.ERASED, "operator", reason, None, evidence))],
        )
        connection.commit()
    return erased


def _erase(connection: sa.Connection, names: Sequence[str]) -> Erased:
    rows = sa.select(predictions.c.seq, predictions.c.prediction_id).where(predictions.c.customer_id.in_(names))
    found = connection.execute(rows.with_for_update()).all()
    told = shadow = 0
    for chunk in chunks(found):
        ids, numbers = [row.prediction_id for row in chunk], [row.seq for row in chunk]
        removed = list(connection.execute(sa.select(outcomes.c.seq).where(outcomes.c.prediction_id.in_(ids))).scalars())
        connection.execute(sa.delete(outcomes).where(outcomes.c.seq.in_(removed)))
        keep_count(connection, removed)
        told += len(removed)
        for version in list_shadow_versions(connection):
            of_them = shadow_predictions.c.prediction_id.in_(ids), shadow_predictions.c.model_version == version
            shadow += connection.execute(sa.delete(shadow_predictions).where(*of_them)).rowcount
        connection.execute(sa.delete(predictions).where(predictions.c.seq.in_(numbers)))
    return Erased(len(found), told, shadow)


def list_shadow_versions(connection: sa.Connection) -> list[str]:
    """List the versions that answered in the shadow: from each to the next by the index, however many rows they have."""
    v = shadow_predictions.c.model_version
    versions: list[str] = []
    version = connection.execute(sa.select(sa.func.min(v))).scalar_one()
    while version is not None:
        versions.append(str(version))
        version = connection.execute(sa.select(sa.func.min(v)).where(v > version)).scalar_one()
    return versions


def _clean_file(store: Store) -> None:
    """Write SQLite's file anew, without what was removed earlier, and empty its write-ahead log."""
    try:
        with translated(), store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
    except StoreError as error:
        raise StoreError(
            f"erased, but the file could not be cleaned ({error}); do it again when nothing uses the store"
        ) from error
    if busy:
        raise StoreError("erased, but somebody reads the write-ahead log; do it again in a moment, so that it is emptied too")
