"""Decisions in the store: write them, list them, count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from churn.store.database.engine import translated
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.tables import decisions


@dataclass(frozen=True, slots=True)
class DecisionCount:
    """How many decisions there were of one kind, action and reason.

    Attributes
    ----------
    evidence_reason : str
        `reason` in the evidence: of a retraining, what triggered it. Empty if the evidence has none.
    newest_at : datetime
        When the newest of them was made.
    """

    kind: DecisionKind
    action: DecisionAction
    evidence_reason: str
    count: int
    newest_at: datetime


class Decisions:
    """The decisions of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, decision: Decision) -> None:
        """Store a decision with its evidence."""
        with translated(), self._engine.begin() as connection:
            insert_decision(connection, decision)

    def read(
        self,
        *,
        kind: DecisionKind | tuple[DecisionKind, ...] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        model_version: str | None = None,
        limit: int = 100,
    ) -> list[Decision]:
        """Return the newest decisions, newest first.

        Parameters
        ----------
        kind : DecisionKind or tuple of DecisionKind, optional
            Only of these kinds.
        since, until : datetime, optional
            Only those made from `since` on and up to `until`, both included.
        model_version : str, optional
            Only those about this version.
        limit : int, default 100
            At most so many.

        Returns
        -------
        list of Decision
        """
        query = sa.select(decisions).order_by(decisions.c.decided_at.desc(), decisions.c.decision_id.desc()).limit(limit)
        if kind is not None:
            query = query.where(decisions.c.kind.in_([kind] if isinstance(kind, DecisionKind) else kind))
        if since is not None:
            query = query.where(decisions.c.decided_at >= since)
        if until is not None:
            query = query.where(decisions.c.decided_at <= until)
        if model_version is not None:
            query = query.where(decisions.c.model_version == model_version)
        with translated(), self._engine.connect() as connection:
            return [Decision(**row) for row in connection.execute(query).mappings().all()]

    def count(self, kinds: Sequence[DecisionKind]) -> list[DecisionCount]:
        """Return how many decisions of some kinds were ever made, by kind, action and reason."""
        reason = sa.func.coalesce(decisions.c.evidence["reason"].as_string(), "")
        groups = (decisions.c.kind, decisions.c.action, reason)
        query = sa.select(*groups, sa.func.count(), sa.func.max(decisions.c.decided_at))
        query = query.where(decisions.c.kind.in_(kinds)).group_by(*groups)
        with translated(), self._engine.connect() as connection:
            return [DecisionCount(*row) for row in connection.execute(query)]


def insert_decision(connection: sa.Connection, decision: Decision) -> None:
    """Store a decision within the transaction of what it is about.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    decision : Decision
    """
    connection.execute(decisions.insert(), [asdict(decision)])
