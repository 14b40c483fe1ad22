"""Who leads changes here and nowhere else: promotion and rollback, each with a record of who, when, which model and why.

The alias is in the registry and the record in the store, so no transaction spans the two. An intent is written first, then the
alias moves, then what came of it is written. Whenever this process dies, the trail has no gap:

    before the intent          nothing happened, nothing is written
    between intent and alias   the intent stands open; the registry shows that nobody moved
    between alias and record   the intent stands open; the registry shows the move, and the champion's tags name the intent

One at a time has its turn (`churn.store.locks`), so that an intent that stands open when the next comes was left by a process that
died. `reconcile` finds it: the one that the champion names is completed; any other never moved anybody, and is written down as
failed.
Records of kind `promotion` and `rollback` therefore tell only what was done.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from churn.errors import NoModel, Overtaken, RegistryError
from churn.modeling.model_info import ModelInfo
from churn.store.records import Decision, DecisionAction, DecisionKind

INTENT_TAG = "promotion_intent"
# What an intent becomes when it is done.
DONE = {
    DecisionAction.PROMOTION: (DecisionKind.PROMOTION, DecisionAction.PROMOTED),
    DecisionAction.ROLLBACK: (DecisionKind.ROLLBACK, DecisionAction.ROLLED_BACK),
}
MOVES = (DecisionKind.PROMOTION, DecisionKind.ROLLBACK)
HISTORY = (DecisionKind.INTENT, DecisionKind.GATE, *MOVES)
# As wide as the table's column.
ACTOR_WIDTH = 128
# Intents that are looked through for one left open: more than one is open only if processes keep dying.
RECENT = 50
# A takeover takes seconds; the next one waits so long for it, in seconds.
LOCK, TIMEOUT_SECONDS = "takeover", 60.0
# Whoever leads may be replaced.
ANYBODY = "anybody"


class DecisionLog(Protocol):
    """What is needed of `churn.store.store.Store`."""

    def lock(self, what: str, holder: str, /, *, timeout_seconds: float) -> AbstractContextManager[object]:
        """Let one at a time do it."""

    def write_decision(self, decision: Decision, /) -> None:
        """Store a decision."""

    def decisions(self, *, kind: tuple[DecisionKind, ...], limit: int) -> list[Decision]:
        """List the newest decisions of these kinds, newest first."""


class Aliases(Protocol):
    """What is needed of `churn.registry.registry.Registry`."""

    def champion_version(self) -> str:
        """Tell which version is champion; NoModel if none is."""

    def previous_version(self) -> str:
        """Tell which version was champion before; NoModel if none was."""

    def tags_of(self, version: str, /) -> Mapping[str, str]:
        """Give the tags of a version."""

    def promote(self, version: str, /, *, tags: Mapping[str, str]) -> str | None:
        """Move the aliases and tag the version."""

    def restore_previous(self, previous: str | None, /) -> None:
        """Say who was champion before, after a move that did not come to its end."""


def promote(
    aliases: Aliases,
    store: DecisionLog,
    info: ModelInfo,
    *,
    actor: str,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
    over: str | None = ANYBODY,
) -> str | None:
    """Make a version the champion and write it down. Promoting the champion again changes nothing and leaves no record.

    Parameters
    ----------
    aliases : Aliases
    store : DecisionLog
    info : ModelInfo
        Of a registered version that can be loaded.
    actor : str
        Who or what: "gate", or user@host.
    reason : str
    evidence : mapping, optional
        JSON-ready; kept with the record beside what identifies the model.
    over : str or None
        Who it is better than: only this version is replaced (None: only if nobody leads). By default, whoever leads.

    Returns
    -------
    str or None
        The version it took over from; itself if it was champion already; None if there was no champion.

    Raises
    ------
    StoreError
        Before anything moved, or (with an open intent in the store) afterwards.
    RegistryError
        Written down as failed; or the intent stays open, if the registry cannot tell whether the alias moved.
    Overtaken
        If another leads than `over`; nothing is changed.
    Busy
        If another takeover hangs.
    """
    with store.lock(LOCK, actor, timeout_seconds=TIMEOUT_SECONDS):
        return _take_over(aliases, store, info, DecisionAction.PROMOTION, actor, reason, evidence or {}, over)


def rollback(
    aliases: Aliases, store: DecisionLog, info: ModelInfo, *, actor: str, reason: str, leaving: str | None = ANYBODY
) -> str | None:
    """Make `info`, the version of `rollback_version`, champion again and write it down; as `promote`.

    Who leaves becomes the previous champion, so that rolling back twice undoes the first. With `leaving`, only that one is left.
    """
    with store.lock(LOCK, actor, timeout_seconds=TIMEOUT_SECONDS):
        return _take_over(aliases, store, info, DecisionAction.ROLLBACK, actor, reason, {}, leaving)


def reconcile(aliases: Aliases, store: DecisionLog, *, actor: str) -> list[Decision]:
    """Write what came of takeovers whose process died on the way; gives what was written, oldest first.

    Raises
    ------
    StoreError, RegistryError, Busy
        What was not settled yet is settled next time.
    """
    if not open_intents(store):
        return []
    with store.lock(LOCK, actor, timeout_seconds=TIMEOUT_SECONDS):
        return _reconcile(aliases, store, _champion(aliases))


def rollback_version(aliases: Aliases, store: DecisionLog) -> str:
    """Tell which version a rollback leads to: the previous champion, or the champion if its rollback was left without its record.

    Raises
    ------
    NoModel
        If there is no champion, or none was before it.
    """
    champion = aliases.champion_version()
    unrecorded = _unrecorded(aliases, store, champion)
    return champion if unrecorded and unrecorded.action == DecisionAction.ROLLBACK else aliases.previous_version()


def _take_over(
    aliases: Aliases,
    store: DecisionLog,
    info: ModelInfo,
    action: DecisionAction,
    actor: str,
    reason: str,
    evidence: Mapping[str, Any],
    over: str | None,
) -> str | None:
    replaced = _champion(aliases)
    reconciled = _reconcile(aliases, store, replaced)
    if replaced == info.version:
        made = next((one for one in reconciled if one.kind in MOVES), None)
        return replaced if made is None else made.evidence["replaced"]
    if over not in (ANYBODY, replaced):
        raise Overtaken(f"version {replaced} leads by now, and no longer {over}; version {info.version} did not take over")
    facts = {**evidence, **identity(info), "replaced": replaced, "previous": _previous(aliases)}
    intent = Decision(DecisionKind.INTENT, action, actor[:ACTOR_WIDTH], reason, info.version, facts)
    store.write_decision(intent)
    tags = {
        "promoted_by": intent.actor,
        "promoted_at": intent.decided_at.isoformat(timespec="seconds"),
        "promotion_reason": reason,
        INTENT_TAG: intent.decision_id,
    }
    try:
        aliases.promote(info.version, tags=tags)
    except RegistryError as error:
        # Who does not answer may have moved it all the same. If it cannot be asked, the intent stays open.
        if _champion(aliases) != info.version:
            _give_up(aliases, store, intent, replaced, str(error))
            raise
    _complete(store, intent)
    return replaced


def _reconcile(aliases: Aliases, store: DecisionLog, champion: str | None) -> list[Decision]:
    """For who has the turn: whatever stands open now was left by a process that died."""
    unrecorded = _unrecorded(aliases, store, champion)
    return [
        _complete(store, intent)
        if unrecorded is not None and intent.decision_id == unrecorded.decision_id
        else _give_up(aliases, store, intent, champion, "its process ended before the champion changed")
        for intent in reversed(open_intents(store))
    ]


def _give_up(aliases: Aliases, store: DecisionLog, intent: Decision, champion: str | None, error: str) -> Decision:
    # The alias `previous` is moved first: it may name the champion by now, and then nobody could roll back.
    if champion is not None and "previous" in intent.evidence and _previous(aliases) == champion:
        aliases.restore_previous(intent.evidence["previous"])
    facts = {**intent.evidence, "intent": intent.decision_id, "error": error}
    failed = Decision(DecisionKind.INTENT, DecisionAction.FAILED, intent.actor, intent.reason, intent.model_version, facts)
    store.write_decision(failed)
    return failed


def _unrecorded(aliases: Aliases, store: DecisionLog, champion: str | None) -> Decision | None:
    """Find the intent of the takeover that made the champion, if nobody wrote that it was done."""
    if champion is None:
        return None
    by = aliases.tags_of(champion).get(INTENT_TAG)
    return next((intent for intent in open_intents(store) if intent.decision_id == by), None)


def _complete(store: DecisionLog, intent: Decision) -> Decision:
    facts = {**intent.evidence, "intent": intent.decision_id}
    done = Decision(*DONE[intent.action], intent.actor, intent.reason, intent.model_version, facts)
    store.write_decision(done)
    return done


def _champion(aliases: Aliases) -> str | None:
    try:
        return aliases.champion_version()
    except NoModel:
        return None


def _previous(aliases: Aliases) -> str | None:
    try:
        return aliases.previous_version()
    except NoModel:
        return None


def identity(info: ModelInfo) -> dict[str, Any]:
    """Give what tells a model from any other: run, data, contract, threshold, drift reference. JSON-ready."""
    kept = {"run_id", "trigger", "data_digest", "contract_digest", "reference_digest", "threshold", "git_commit"}
    return info.model_dump(mode="json", include=kept)


def open_intents(store: DecisionLog) -> list[Decision]:
    """List the intents of which nobody wrote what came of them, newest first: their process died, or is still at it."""
    return [
        d
        for d in without_closed(store.decisions(kind=(DecisionKind.INTENT, *MOVES), limit=RECENT))
        if d.kind == DecisionKind.INTENT and d.action in DONE
    ]


def without_closed(decisions: Iterable[Decision]) -> list[Decision]:
    """Leave out the intents that another of the decisions closes; the order stays."""
    listed = list(decisions)
    closed = {d.evidence.get("intent") for d in listed}
    return [d for d in listed if d.decision_id not in closed]


def person() -> str:
    """Name who runs this process: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user that no passwd file knows
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
