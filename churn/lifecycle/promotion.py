"""Promotion and rollback: move the alias `champion`, and record it before and after.

Aliases are in the registry and records in the store, and no transaction spans both. So an intent is stored first, then the
aliases move, then the promotion is stored. Whatever process dies on the way, the next one finds the intent open, sees in the
registry whether the champion changed (its tag names the intent), and records that the promotion happened or failed. A lock lets
one process at a time do this, so an intent that is open when the lock is free was left by a process that died.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from churn.errors import ChampionChanged, NoModel, RegistryError
from churn.lifecycle.aliases import Aliases
from churn.lifecycle.decision_log import COMPLETED, MAX_DECISIONS, MOVES, DecisionLog, open_intents
from churn.modeling.model_info import ModelInfo
from churn.store.records import Decision, DecisionAction, DecisionKind

INTENT_TAG = "promotion_intent"
# As wide as the column of the table.
MAX_ACTOR_LENGTH = 128
# A promotion takes seconds; the next one waits so long for it.
LOCK, TIMEOUT_SECONDS = "promotion", 60.0
# Of `replacing`: whichever version is champion.
ANY_CHAMPION = "any"


def promote(
    aliases: Aliases,
    store: DecisionLog,
    info: ModelInfo,
    *,
    actor: str,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
    replacing: str | None = ANY_CHAMPION,
) -> str | None:
    """Make a version the champion and record it. To promote the champion again changes nothing and leaves no record.

    Parameters
    ----------
    aliases : Aliases
    store : DecisionLog
    info : ModelInfo
        Of a registered version that can be loaded.
    actor : str
        Who or what promotes it: "gate", or user@host.
    reason : str
        One sentence for people.
    evidence : mapping, optional
        JSON-ready; stored with the record, beside what identifies the model.
    replacing : str or None
        The version that it was compared with: only that one is replaced (None: only if there is no champion). By default,
        whichever is champion.

    Returns
    -------
    str or None
        The version that it replaced; itself if it was champion already; None if there was no champion.

    Raises
    ------
    StoreError
        Before anything moved; or afterwards, with an open intent in the store.
    RegistryError
        The promotion is recorded as failed; or the intent stays open, if the registry cannot be asked whether the alias moved.
    ChampionChanged
        If another version than `replacing` is champion; nothing is changed.
    Busy
        If another promotion hangs.
    """
    with store.lock(LOCK, actor, timeout_seconds=TIMEOUT_SECONDS):
        reconciled = _reconcile(aliases, store)
        return _move(aliases, store, info, DecisionAction.PROMOTION, actor, reason, evidence or {}, replacing, reconciled)


def rollback(
    aliases: Aliases,
    store: DecisionLog,
    info: ModelInfo,
    *,
    leaving: str,
    actor: str,
    reason: str,
    automatic: bool = False,
    evidence: Mapping[str, Any] | None = None,
    request_id: str = "",
) -> str | None:
    """Make the version that was champion before `leaving` champion again and record it.

    The version that it replaces becomes the previous champion, so a second rollback undoes the first. Nothing but a person does
    that: an automatic rollback never leads to the version that the last rollback left.

    Parameters
    ----------
    aliases : Aliases
    store : DecisionLog
    info : ModelInfo
        Of the version that becomes champion again.
    leaving : str
        The version that the rollback was decided for: nothing is done if another one is champion.
    actor : str
        Who or what rolls back.
    reason : str
        One sentence for people.
    automatic : bool
        Whether no person asked for it.
    evidence : mapping, optional
        As of `promote`.
    request_id : str
        Of a request that may come again because its answer was lost: if it is in a record, nothing is done.

    Returns
    -------
    str or None
        As of `promote`, which raises the same errors.
    """
    with store.lock(LOCK, actor, timeout_seconds=TIMEOUT_SECONDS):
        # Before the aliases are looked at: a promotion that died may have moved some of them, and they are put back here.
        reconciled = _reconcile(aliases, store)
        if reconciled.champion == leaving != info.version:
            if _previous(aliases) != info.version:
                raise ChampionChanged(f"version {info.version} is not the champion before version {leaving}; nothing was changed")
            if request_id and _was_done(store, request_id):
                raise ChampionChanged(f"this rollback was done before, and version {leaving} was promoted since")
            if automatic and aliases.rolled_back_version() == info.version:
                raise ChampionChanged(
                    f"version {info.version} was left by the last rollback: only a person takes it again "
                    "(churn model rollback or promote)"
                )
        facts = {**(evidence or {}), "leaving": leaving, "automatic": automatic}
        if request_id:
            facts["request"] = request_id
        return _move(aliases, store, info, DecisionAction.ROLLBACK, actor, reason, facts, leaving, reconciled)


def reconcile(aliases: Aliases, store: DecisionLog, *, actor: str) -> list[Decision]:
    """Record what became of promotions whose process died.

    Parameters
    ----------
    aliases : Aliases
    store : DecisionLog
    actor : str
        Who holds the lock meanwhile.

    Returns
    -------
    list of Decision
        What was recorded, oldest first.

    Raises
    ------
    StoreError, RegistryError, Busy
        What was not reconciled stays open until next time.
    """
    if not open_intents(store):
        return []
    with store.lock(LOCK, actor, timeout_seconds=TIMEOUT_SECONDS):
        return _reconcile(aliases, store).recorded


def rollback_version(aliases: Aliases, store: DecisionLog) -> str:
    """Return the version to which a rollback leads.

    Parameters
    ----------
    aliases : Aliases
    store : DecisionLog

    Returns
    -------
    str
        The previous champion; or the champion, if its rollback has no record yet because its process died.

    Raises
    ------
    NoModel
        If there is no champion, or none was before it.
    """
    champion = aliases.champion_version()
    unrecorded = _unrecorded(aliases, store, champion)
    return champion if unrecorded and unrecorded.action == DecisionAction.ROLLBACK else aliases.previous_version()


def identity(info: ModelInfo) -> dict[str, Any]:
    """Return what identifies a model, JSON-ready: run, data, contract, threshold and drift reference."""
    kept = {"run_id", "trigger", "data_digest", "contract_digest", "reference_digest", "threshold", "git_commit"}
    return info.model_dump(mode="json", include=kept)


def _move(
    aliases: Aliases,
    store: DecisionLog,
    info: ModelInfo,
    action: DecisionAction,
    actor: str,
    reason: str,
    evidence: Mapping[str, Any],
    replacing: str | None,
    reconciled: _Reconciled,
) -> str | None:
    champion = reconciled.champion
    if champion == info.version:
        done = next((one for one in reconciled.recorded if one.kind in MOVES), None)
        return champion if done is None else done.evidence["replaced"]
    if replacing not in (ANY_CHAMPION, champion):
        raise ChampionChanged(
            f"version {champion} is champion by now, and no longer {replacing}; version {info.version} was not promoted"
        )
    left = {"previous": _previous(aliases), "rolled_back": aliases.rolled_back_version()}
    facts = {**evidence, **identity(info), "replaced": champion, **left}
    intent = Decision(DecisionKind.INTENT, action, actor[:MAX_ACTOR_LENGTH], reason, info.version, facts)
    store.write_decision(intent)
    tags = {
        "promoted_by": intent.actor,
        "promoted_at": intent.decided_at.isoformat(timespec="seconds"),
        "promotion_reason": reason,
        INTENT_TAG: intent.decision_id,
    }
    try:
        aliases.promote(info.version, tags=tags, rolling_back=action == DecisionAction.ROLLBACK)
    except RegistryError as error:
        # A registry that did not answer may have moved the alias all the same. If it cannot be asked, the intent stays open.
        if _champion(aliases) != info.version:
            _record_failure(aliases, store, intent, champion, str(error))
            raise
    _record_completion(store, intent)
    return champion


class _Reconciled(NamedTuple):
    """The champion when no intent is open any more, and what was recorded to close them, oldest first."""

    champion: str | None
    recorded: list[Decision]


def _reconcile(aliases: Aliases, store: DecisionLog) -> _Reconciled:
    """Close all open intents. Whoever calls this holds the lock, so their processes have died."""
    champion = _champion(aliases)
    unrecorded = _unrecorded(aliases, store, champion)
    recorded = [
        _record_completion(store, intent)
        if unrecorded is not None and intent.decision_id == unrecorded.decision_id
        else _record_failure(aliases, store, intent, champion, "its process ended before the champion changed")
        for intent in reversed(open_intents(store))
    ]
    return _Reconciled(champion, recorded)


def _was_done(store: DecisionLog, request_id: str) -> bool:
    done = store.decisions(kind=(DecisionKind.ROLLBACK,), limit=MAX_DECISIONS)
    return any(one.evidence.get("request") == request_id for one in done)


def _unrecorded(aliases: Aliases, store: DecisionLog, champion: str | None) -> Decision | None:
    """Return the open intent that made the champion; None if its promotion is recorded."""
    if champion is None:
        return None
    intent_id = aliases.tags_of(champion).get(INTENT_TAG)
    return next((intent for intent in open_intents(store) if intent.decision_id == intent_id), None)


def _record_completion(store: DecisionLog, intent: Decision) -> Decision:
    facts = {**intent.evidence, "intent": intent.decision_id}
    done = Decision(*COMPLETED[intent.action], intent.actor, intent.reason, intent.model_version, facts)
    store.write_decision(done)
    return done


def _record_failure(aliases: Aliases, store: DecisionLog, intent: Decision, champion: str | None, error: str) -> Decision:
    # They move first: `previous` may name the champion by now, and then nobody could roll back.
    if champion is not None and champion == intent.evidence.get("replaced") and "previous" in intent.evidence:
        left = intent.evidence["previous"], intent.evidence.get("rolled_back")
        if left != (_previous(aliases), aliases.rolled_back_version()):
            aliases.restore(*left)
    facts = {**intent.evidence, "intent": intent.decision_id, "error": error}
    failed = Decision(DecisionKind.INTENT, DecisionAction.FAILED, intent.actor, intent.reason, intent.model_version, facts)
    store.write_decision(failed)
    return failed


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
