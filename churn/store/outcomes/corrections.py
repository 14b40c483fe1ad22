"""Correct outcomes that were wrong, or withdraw them: the latest statement counts, and what was said before is kept.

Statements are ordered by when they were observed, not by when they arrive. So the same corrections give the same truth in
whatever order replicas and retries bring them, and each again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from churn.clock import now
from churn.store.database.asked import asked, rows_asked
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.outcomes.count import count_removed
from churn.store.outcomes.rows import insert_rows, outcomes_of
from churn.store.records import Outcome
from churn.store.tables import outcome_corrections, outcomes

Result = Literal["accepted", "corrected", "duplicate", "conflicting"]


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction as the store keeps it, for an audit.

    Attributes
    ----------
    outcome_seq : int or None
        Number of the outcome that was corrected; None if there was none, or it had been withdrawn.
    churned, observed_at : bool or None, datetime
        What is said now, and when it was observed. None: the outcome was withdrawn, and nothing is known.
    received_at : datetime
    churned_before, observed_at_before, received_at_before : bool, datetime, datetime or None
        What was said before; None if nothing was.
    """

    prediction_id: str
    model_version: str
    outcome_seq: int | None
    churned: bool | None
    observed_at: datetime
    received_at: datetime
    churned_before: bool | None
    observed_at_before: datetime | None
    received_at_before: datetime | None


class _Said(NamedTuple):
    """The statement that counts. Without `seq` the outcome was withdrawn, or there never was one."""

    churned: bool | None
    observed_at: datetime
    received_at: datetime
    seq: int | None


class Corrections:
    """The corrections of one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self, *, prediction_id: str | None = None, newest: int = 100) -> list[Correction]:
        """Return the newest corrections, newest first.

        Parameters
        ----------
        prediction_id : str, optional
            Only of this prediction.
        newest : int
            At most so many.

        Returns
        -------
        list of Correction

        Raises
        ------
        StoreError
            If the store is away.
        """
        c = outcome_corrections.c
        query = sa.select(*(column for column in c if column.name != "seq")).order_by(c.seq.desc()).limit(newest)
        if prediction_id is not None:
            query = query.where(c.prediction_id == prediction_id)
        with translated(), self._engine.connect() as connection:
            return [Correction(**row) for row in connection.execute(query).mappings()]

    def count(self, model_version: str, *, judged_seq: int, since: datetime) -> int:
        """Count corrections of outcomes that were judged already.

        Parameters
        ----------
        model_version : str
            Whose predictions they are about.
        judged_seq : int
            Outcomes numbered up to it were judged.
        since : datetime
            Only corrections received from then on.

        Returns
        -------
        int

        Raises
        ------
        StoreError
            If the store is away.
        """
        c = outcome_corrections.c
        query = sa.select(sa.func.count()).select_from(outcome_corrections)
        query = query.where(c.received_at >= since, c.outcome_seq <= judged_seq, c.model_version == model_version)
        with translated(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())


def find_withdrawn(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Return those predictions whose last correction withdrew the outcome.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    ids : sequence of str

    Returns
    -------
    set of str
    """
    return {i for i, said in _last_corrections(connection, ids).items() if said.churned is None}


def apply_corrections(
    connection: sa.Connection, said: Sequence[tuple[int, str, Outcome]], versions: dict[str, str]
) -> dict[int, Result]:
    """Apply corrections within a transaction that has locked their predictions.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    said : sequence of (int, str, Outcome)
        Each with a number of its own, and its prediction's id.
    versions : dict of str to str
        Which model version answered each of these predictions.

    Returns
    -------
    dict of int to str
        What became of each, by its number.
    """
    ids = sorted({prediction_id for _, prediction_id, _ in said})
    known = _last_corrections(connection, ids) | _stored(connection, ids)
    results: dict[int, Result] = {}
    left = sorted(said, key=lambda one: (one[2].observed_at, one[0]))
    while left:
        changes, rest = _Changes(), []
        for number, prediction_id, outcome in left:
            if prediction_id in changes.inserted:
                rest.append((number, prediction_id, outcome))  # the next one speaks of an outcome that has no number yet
                continue
            before, truth = known.get(prediction_id), None if outcome.withdrawn else outcome.churned
            if before is not None and outcome.observed_at <= before.observed_at:
                results[number] = "duplicate" if before.churned == truth else "conflicting"
                continue
            results[number] = "accepted" if before is None and truth is not None else "corrected"
            known[prediction_id] = changes.replace(prediction_id, outcome, before, versions[prediction_id])
        changes.write(connection)
        known |= _stored(connection, list(changes.inserted))
        left = rest
    return results


class _Changes:
    """What corrections change, to be written in a few statements."""

    def __init__(self) -> None:
        self.inserted: dict[str, Outcome] = {}
        self._kept: list[dict[str, Any]] = []
        self._removed: list[int] = []
        self._updated: dict[int, dict[str, Any]] = {}

    def replace(self, prediction_id: str, outcome: Outcome, before: _Said | None, version: str) -> _Said:
        """Let an outcome take the place of what was said before, and keep that."""
        received_at, truth = now(), None if outcome.withdrawn else outcome.churned
        seq = None if before is None else before.seq
        if before is not None or truth is None:
            kept: dict[str, Any] = {"churned_before": None, "observed_at_before": None, "received_at_before": None}
            if before is not None:
                kept = {f"{name}_before": getattr(before, name) for name in ("churned", "observed_at", "received_at")}
            row = {"prediction_id": prediction_id, "churned": truth, "observed_at": outcome.observed_at}
            facts = {"outcome_seq": seq, "model_version": version, "received_at": received_at}
            self._kept.append(row | kept | facts)
        if truth is None:
            if seq is not None:
                self._updated.pop(seq, None)
                self._removed.append(seq)
            return _Said(None, outcome.observed_at, received_at, None)
        if seq is None:
            self.inserted[prediction_id] = outcome
        else:
            self._updated[seq] = {"churned": truth, "observed_at": outcome.observed_at, "received_at": received_at, "of": seq}
        return _Said(truth, outcome.observed_at, received_at, seq)

    def write(self, connection: sa.Connection) -> None:
        """Write all of it."""
        o = outcomes.c
        if self._kept:
            connection.execute(outcome_corrections.insert(), self._kept)
        if self._removed:
            for chunk in chunks(self._removed):
                connection.execute(sa.delete(outcomes).where(o.seq.in_(chunk)))
            count_removed(connection, self._removed)
        if self._updated:
            connection.execute(
                sa.update(outcomes).where(o.seq == sa.bindparam("of")), sorted(self._updated.values(), key=lambda row: row["of"])
            )
        insert_rows(connection, self.inserted)


def _stored(connection: sa.Connection, ids: Sequence[str]) -> dict[str, _Said]:
    return {i: _Said(*stored) for i, stored in outcomes_of(connection, ids).items()} if ids else {}


def _last_corrections(connection: sa.Connection, ids: Sequence[str]) -> dict[str, _Said]:
    found = connection.execute(_last(connection.dialect.name), rows_asked([i] for i in ids))
    return {row[0]: _Said(row[1], row[2], row[3], None) for row in found}


@cache
def _last(dialect: str) -> sa.Select[Any]:
    """Return the query for the last correction of each prediction: one may have been corrected very often."""
    c, told = outcome_corrections.c, asked(dialect, {"prediction_id": sa.String()})
    last = sa.select(sa.func.max(c.seq)).where(c.prediction_id == told.c.prediction_id).correlate(told).scalar_subquery()
    newest = sa.select(last).select_from(told)
    return sa.select(c.prediction_id, c.churned, c.observed_at, c.received_at).where(c.seq.in_(newest))
