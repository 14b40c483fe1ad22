"""Decisions about the champion: where they are kept, and which intents are open.

A promotion is recorded before and after the aliases move: first an intent, then the promotion, which closes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from churn.store.records import Decision, DecisionAction, DecisionKind

# How an intent is recorded when it is done.
COMPLETED = {
    DecisionAction.PROMOTION: (DecisionKind.PROMOTION, DecisionAction.PROMOTED),
    DecisionAction.ROLLBACK: (DecisionKind.ROLLBACK, DecisionAction.ROLLED_BACK),
}
MOVES = (DecisionKind.PROMOTION, DecisionKind.ROLLBACK)
# What the history of a model's versions shows.
HISTORY = (DecisionKind.INTENT, DecisionKind.GATE, *MOVES)
# How many decisions are searched for open intents: more than one is open only if processes keep dying.
MAX_DECISIONS = 50


class DecisionLog(Protocol):
    """What promotions need of `churn.store.store.Store`."""

    def lock(self, name: str, holder: str, /, *, timeout_seconds: float) -> AbstractContextManager[object]:
        """Hold a lock for a `with` block.

        Parameters
        ----------
        name : str
            What is done by one process at a time.
        holder : str
            Who does it.
        timeout_seconds : float
            How long to wait for the lock.

        Returns
        -------
        context manager

        Raises
        ------
        Busy
            If somebody else holds it all that time.
        """

    def write_decision(self, decision: Decision, /) -> None:
        """Store a decision."""

    def decisions(self, *, kind: tuple[DecisionKind, ...], limit: int) -> list[Decision]:
        """Return the newest decisions, newest first.

        Parameters
        ----------
        kind : tuple of DecisionKind
            Only of these kinds.
        limit : int
            At most so many.

        Returns
        -------
        list of Decision
        """


def open_intents(store: DecisionLog) -> list[Decision]:
    """Return the intents that are not closed, newest first: their process died, or is still at work."""
    recent = store.decisions(kind=(DecisionKind.INTENT, *MOVES), limit=MAX_DECISIONS)
    return [d for d in drop_closed_intents(recent) if d.kind == DecisionKind.INTENT and d.action in COMPLETED]


def drop_closed_intents(decisions: Iterable[Decision]) -> list[Decision]:
    """Return decisions without the intents that another one of them closes, in the same order."""
    listed = list(decisions)
    closed = {d.evidence.get("intent") for d in listed}
    return [d for d in listed if d.decision_id not in closed]
