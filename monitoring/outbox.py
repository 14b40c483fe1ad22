"""What the monitor asked for and nobody has taken up yet: the next monitoring run asks again.

A decision is stored before it is sent, so that whoever dies in between is caught up with. What was sent may still be lost, if the
one who was to pass it on dies: a retraining counts as taken up only when a training has begun since.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from churn.clock import CLOCK_SKEW
from churn.config.settings import Settings
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store

# The same event is not sent again sooner.
RESEND_SECONDS = 60.0
# A page that could not be sent within a day is not sent any more: newer runs page for what is wrong now.
PAGE_SECONDS = 86_400.0
RECENT = 1_000


def record_sent(store: Store, decision: Decision) -> None:
    """Record that what a decision asks for was sent.

    Parameters
    ----------
    store : Store
        Where to record it.
    decision : Decision
        One of `decisions_to_send`, or a new one.

    Raises
    ------
    StoreError
        If the store is away.
    """
    reason = f"{decision.action} was asked for"
    store.write_decision(
        Decision(
            DecisionKind.EVENT, DecisionAction.SENT, "monitor", reason, decision.model_version, {"decision": decision.decision_id}
        )
    )


def decisions_to_send(store: Store, settings: Settings, now: datetime) -> list[Decision]:
    """Return the decisions to retrain and to page that have to be sent, or sent again.

    The newest decision to retrain, as long as the policy waits for it and no training has begun since; and pages that were never
    sent, of the last day.

    Parameters
    ----------
    store : Store
        Where decisions are.
    settings : Settings
        How long a retraining is waited for.
    now : datetime
        With time zone.

    Returns
    -------
    list of Decision
        Oldest first.

    Raises
    ------
    StoreError
        If the store is away.
    """
    since = now - timedelta(seconds=max(settings.retrain_timeout_seconds, PAGE_SECONDS))
    until = now + CLOCK_SKEW
    decided = store.decisions(kind=DecisionKind.POLICY, since=since, until=until, limit=RECENT)
    asked = [decision for decision in decided if decision.action in (DecisionAction.RETRAIN, DecisionAction.PAGE)]
    if not asked:
        return []
    events = store.decisions(
        kind=(DecisionKind.EVENT, DecisionKind.TRAINING, DecisionKind.RETRAIN, DecisionKind.PROMOTION),
        since=since,
        until=until,
        limit=RECENT,
    )
    sent_at: dict[str, datetime] = {}
    for decision in reversed(events):
        if decision.kind == DecisionKind.EVENT:
            sent_at[str(decision.evidence.get("decision"))] = decision.decided_at
    pages = [d for d in asked if d.action == DecisionAction.PAGE and d.decision_id not in sent_at]
    newest = next((d for d in asked if d.action == DecisionAction.RETRAIN), None)
    retrain = [newest] if newest is not None and _is_waiting(newest, events, sent_at, settings, now) else []
    return sorted([*pages, *retrain], key=lambda decision: decision.decided_at)


def _is_waiting(asked: Decision, events: list[Decision], sent_at: dict[str, datetime], settings: Settings, now: datetime) -> bool:
    if now - asked.decided_at > timedelta(seconds=settings.retrain_timeout_seconds):
        return False  # taken for dead: the policy decides anew
    if any(
        d.kind != DecisionKind.EVENT and (d.evidence.get("asked_by") == asked.decision_id or d.decided_at >= asked.decided_at)
        for d in events
    ):
        return False
    last = sent_at.get(asked.decision_id)
    return last is None or now - last >= timedelta(seconds=RESEND_SECONDS)
