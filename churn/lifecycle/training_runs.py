"""Training runs: record how each begins and ends, and clean up after those whose process died.

The begin is a decision of kind `training`, the end one of kind `retrain` that names it. A lock lets one training run at a time,
so a run without an end was killed if another one holds the lock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from churn.lifecycle.actor import current_user
from churn.lifecycle.aliases import Aliases
from churn.lifecycle.decision_log import DecisionLog
from churn.lifecycle.promotion import reconcile
from churn.registry.aliases import TRAINING_TAG
from churn.store.records import Decision, DecisionAction, DecisionKind

LOCK = "training"
# How many decisions are searched for runs without an end: more than one is left only if processes keep dying.
MAX_DECISIONS = 200
TRIGGERS = ("schedule", "drift", "first model", "manual")


class OrphanedModels(Aliases, Protocol):
    """What cleaning up needs of `churn.registry.registry.Registry`."""

    def versions(self) -> Sequence[tuple[str, Sequence[str], Mapping[str, str]]]:
        """Return (version, aliases, tags) of each version, newest first."""

    def end_runs(self, trainings: set[str], /) -> Sequence[str]:
        """Mark runs of trainings that never ended as killed, and return their ids."""


def trainer(trigger: str) -> str:
    """Return who trains and why, for those who wait for the lock."""
    return f"{current_user()} (process {os.getpid()}), {trigger}"


def record_start(store: DecisionLog, training: str, trigger: str, asked_by: str | None) -> None:
    """Record that a training begins.

    Parameters
    ----------
    store : DecisionLog
    training : str
        Its id.
    trigger : str
        One of `TRIGGERS`, or what a person typed.
    asked_by : str or None
        The id of the decision that asked for it.
    """
    facts = {**_trigger_facts(trigger), "training": training, "asked_by": asked_by}
    started = Decision(DecisionKind.TRAINING, DecisionAction.STARTED, trainer(trigger), "a training began", None, facts)
    store.write_decision(started)


def record_skipped(store: DecisionLog, trigger: str, asked_by: str | None, reason: str) -> None:
    """Record that a training was not made because another one is running.

    Parameters
    ----------
    store : DecisionLog
    trigger : str
        As of `record_start`.
    asked_by : str or None
        The id of the decision that asked for it.
    reason : str
        One sentence for people.
    """
    facts = {**_trigger_facts(trigger), "asked_by": asked_by}
    store.write_decision(Decision(DecisionKind.TRAINING, DecisionAction.SKIPPED, trainer(trigger), reason, None, facts))


def record_end(
    store: DecisionLog, training: str, trigger: str, result: DecisionAction, reason: str, version: str | None = None
) -> None:
    """Record how a training ended.

    Parameters
    ----------
    store : DecisionLog
    training : str
        Its id.
    trigger : str
        As of `record_start`.
    result : DecisionAction
        PROMOTED, REJECTED or FAILED.
    reason : str
        One sentence for people.
    version : str, optional
        The version that it registered.
    """
    facts = {**_trigger_facts(trigger), "training": training}
    store.write_decision(Decision(DecisionKind.RETRAIN, result, "train", reason, version, facts))


def has_ended(store: DecisionLog, training: str) -> bool:
    """Tell whether the end of a training is recorded: Prefect may believe it crashed, as it could not tell its server.

    Parameters
    ----------
    store : DecisionLog
    training : str
        Its id.

    Returns
    -------
    bool
    """
    ends = store.decisions(kind=(DecisionKind.RETRAIN,), limit=MAX_DECISIONS)
    return any(decision.evidence.get("training") == training for decision in ends)


def clean_up_orphans(store: DecisionLog, registry: OrphanedModels) -> list[str]:
    """Clean up after trainings and promotions whose process died. The caller holds the lock to train.

    MLflow runs that never ended are marked as killed, trainings without an end are recorded as failed, and promotions that broke
    off are reconciled. Versions that were registered stay, without an alias.

    Parameters
    ----------
    store : DecisionLog
    registry : OrphanedModels

    Returns
    -------
    list of str
        A sentence for each thing that was found; empty if nothing was left.
    """
    recent = store.decisions(kind=(DecisionKind.TRAINING, DecisionKind.RETRAIN), limit=MAX_DECISIONS)
    ended = {decision.evidence.get("training") for decision in recent if decision.kind == DecisionKind.RETRAIN}
    started = {str(d.evidence["training"]): d for d in reversed(recent) if d.action == DecisionAction.STARTED}
    found = [f"run {run} had never ended, and is marked as killed" for run in registry.end_runs(set(started))]
    orphans = {training: decision for training, decision in started.items() if training not in ended}
    made = {tags.get(TRAINING_TAG): version for version, _, tags in registry.versions()} if orphans else {}
    found += [_describe_reconciled(decision) for decision in reconcile(registry, store, actor=trainer("cleaning up"))]
    for training, decision in orphans.items():
        version = made.get(training)
        left = _describe_version(store, version)
        reason = f"the training that {decision.actor} began on {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC was killed{left}"
        record_end(store, training, str(decision.evidence.get("trigger")), DecisionAction.FAILED, reason, version)
        found.append(reason)
    return found


def _trigger_facts(trigger: str) -> dict[str, str]:
    """Return the trigger, and the reason by which metrics count: what a person typed counts as manual."""
    return {"trigger": trigger, "reason": trigger if trigger in TRIGGERS else "manual"}


def _describe_version(store: DecisionLog, version: str | None) -> str:
    if version is None:
        return ""
    recent = store.decisions(kind=(DecisionKind.GATE, DecisionKind.PROMOTION), limit=MAX_DECISIONS)
    decisions = [d for d in recent if d.model_version == version]
    if any(decision.kind == DecisionKind.PROMOTION for decision in decisions):
        return f"; its version {version} had become champion"
    gate = f"the gate decided: {decisions[0].action}" if decisions else "the gate's decision was not recorded"
    return f"; version {version} stays without an alias ({gate})"


def _describe_reconciled(decision: Decision) -> str:
    if decision.action == DecisionAction.FAILED:
        return f"the promotion of version {decision.model_version} by {decision.actor} never happened, and is recorded as failed"
    return f"the promotion of version {decision.model_version} by {decision.actor} had not been recorded: it is now"
