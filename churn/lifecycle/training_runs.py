"""Each training says that it begins and how it ended, so that the next one finds what one that died left behind.

That it began is a decision of kind `training`; how it ended one of kind `retrain`, which names it. Trainings have turns
(`churn.store.locks`): one that has no end while another has its turn was killed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from churn.lifecycle.promotion import Aliases, person, reconcile
from churn.lifecycle.promotion import DecisionLog as PromotionLog
from churn.registry.aliases import TRAINING_TAG
from churn.store.records import Decision, DecisionAction, DecisionKind

LOCK = "training"
# Trainings that are looked through for one without an end: more than one is left only if processes keep dying.
RECENT = 200
TRIGGERS = ("schedule", "drift", "first model", "manual")


class DecisionLog(PromotionLog, Protocol):
    """What is needed of `churn.store.store.Store`."""


class OrphanedModels(Aliases, Protocol):
    """What is needed of `churn.registry.registry.Registry`."""

    def versions(self) -> Sequence[tuple[str, Sequence[str], Mapping[str, str]]]:
        """List (version, aliases, tags), newest first."""

    def end_runs(self, trainings: set[str], /) -> Sequence[str]:
        """Mark the runs of these trainings that never ended as killed; gives their ids."""


def trainer(trigger: str) -> str:
    """Name who trains and why, for those who have to wait."""
    return f"{person()} (process {os.getpid()}), {trigger}"


def because(trigger: str) -> dict[str, str]:
    """Give the trigger and the word for it that metrics count by; what a person typed counts as manual."""
    return {"trigger": trigger, "reason": trigger if trigger in TRIGGERS else "manual"}


def note_start(store: DecisionLog, training: str, trigger: str, asked_by: str | None) -> None:
    """Say that a training begins, and which decision asked for it."""
    facts = {**because(trigger), "training": training, "asked_by": asked_by}
    store.write_decision(
        Decision(DecisionKind.TRAINING, DecisionAction.STARTED, trainer(trigger), "a training began", None, facts)
    )


def note_skipped(store: DecisionLog, trigger: str, asked_by: str | None, reason: str) -> None:
    """Say that a training that was asked for was not made, as another one was under way."""
    store.write_decision(
        Decision(
            DecisionKind.TRAINING,
            DecisionAction.SKIPPED,
            trainer(trigger),
            reason,
            None,
            {**because(trigger), "asked_by": asked_by},
        )
    )


def note_end(
    store: DecisionLog, training: str, trigger: str, result: DecisionAction, reason: str, version: str | None = None
) -> None:
    """Say how a training ended: promoted, rejected or failed."""
    store.write_decision(
        Decision(DecisionKind.RETRAIN, result, "train", reason, version, {**because(trigger), "training": training})
    )


def clean_up_orphans(store: DecisionLog, registry: OrphanedModels) -> list[str]:
    """Clear up after trainings and takeovers whose process died. For who has the turn to train.

    Runs that never ended are marked as killed, trainings without an end are written down as failed, and takeovers that broke off
    are completed or given up. Versions that were registered stay, whole and without an alias.

    Returns
    -------
    list of str
        A sentence for each thing that was found; empty if nothing was left.
    """
    recent = store.decisions(kind=(DecisionKind.TRAINING, DecisionKind.RETRAIN), limit=RECENT)
    ended = {decision.evidence.get("training") for decision in recent if decision.kind == DecisionKind.RETRAIN}
    started = {str(d.evidence["training"]): d for d in reversed(recent) if d.action == DecisionAction.STARTED}
    killed = registry.end_runs(set(started))
    said = [f"run {run} had never ended, and is marked as killed" for run in killed]
    dead = {training: decision for training, decision in started.items() if training not in ended}
    made = {tags.get(TRAINING_TAG): version for version, _, tags in registry.versions()} if dead else {}
    for done in reconcile(registry, store, actor=trainer("clearing up")):
        said.append(_reconciled(done))
    for training, decision in dead.items():
        version = made.get(training)
        left = _left(store, version)
        reason = f"the training that {decision.actor} began on {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC was killed{left}"
        note_end(store, training, str(decision.evidence.get("trigger")), DecisionAction.FAILED, reason, version)
        said.append(reason)
    return said


def _left(store: DecisionLog, version: str | None) -> str:
    if version is None:
        return ""
    verdicts = [
        d for d in store.decisions(kind=(DecisionKind.GATE, DecisionKind.PROMOTION), limit=RECENT) if d.model_version == version
    ]
    if any(decision.kind == DecisionKind.PROMOTION for decision in verdicts):
        return f"; its version {version} had become champion"
    told = f"the gate said {verdicts[0].action}" if verdicts else "the gate's verdict was not written"
    return f"; version {version} stays as it is ({told})"


def _reconciled(done: Decision) -> str:
    who = f"that version {done.model_version} took over, by {done.actor},"
    return (
        f"{who} had not been written down: it is now"
        if done.action != DecisionAction.FAILED
        else f"{who} never happened: it is given up"
    )
