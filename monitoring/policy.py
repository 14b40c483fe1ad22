"""When to retrain: k of the last n labelled looks violate, the newest does, and the last retraining is long enough ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from churn.records import Decision, MonitorRun
from churn.settings import Settings

Action = Literal["none", "watch", "retrain"]


@dataclass(frozen=True, slots=True)
class RetrainDecision:
    """What to do after a look, and why, in a sentence with numbers."""

    action: Action
    reason: str


def decide(
    current: MonitorRun, history: Sequence[MonitorRun], decisions: Sequence[Decision], settings: Settings, now: datetime
) -> RetrainDecision:
    """Decide what follows from a look. Pure: it reads and writes nothing.

    Only performance on outcomes can call for retraining: without them nobody knows whether a population that looks different
    is also answered worse. The rule of k of n, with the newest among the k, is that of Databricks' mlops-stacks.

    Parameters
    ----------
    current : MonitorRun
        The look to decide on; of its verdict only the names of what drifted are read, for the reason.
    history : sequence of MonitorRun
        Earlier looks at the same model version, newest first. Looks without labelled rows say nothing here and are skipped.
    decisions : sequence of Decision
        Recent decisions, in any order: those of kind "policy" start the wait, those of kind "promotion" can end it.
    now : datetime
        With time zone.
    """
    if current.concept_alarm:
        return _on_violation(current, history, decisions, settings, now)
    drifted = f"{current.rows} predictions drifted{_named(current)}"
    if current.labelled_rows == 0:
        if current.covariate_alarm:
            return RetrainDecision("watch", f"{drifted}; outcomes are needed to judge the model")
        return RetrainDecision("none", f"the {current.rows} new predictions look like the reference")
    if current.covariate_alarm:
        return RetrainDecision("watch", f"{drifted}, but the model holds on {current.labelled_rows} outcomes")
    return RetrainDecision("none", f"the model holds on {current.labelled_rows} outcomes")


def _named(look: MonitorRun, most: int = 3) -> str:
    """Name the features that drifted, in brackets, most surprising first; empty if the verdict does not say."""
    results = (look.verdict.get("drift") or {}).get("results", [])
    drifted = sorted((r for r in results if r["drifted"]), key=lambda r: (r["p_value"], -r["statistic"]))
    names = list(dict.fromkeys(str(r["feature"]) for r in drifted))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f" ({', '.join(names[:most])}{more})" if names else ""


def _on_violation(
    current: MonitorRun, history: Sequence[MonitorRun], decisions: Sequence[Decision], settings: Settings, now: datetime
) -> RetrainDecision:
    labelled = [look for look in (current, *history) if look.labelled_rows > 0][: settings.policy_n]
    violations = sum(look.concept_alarm for look in labelled)
    found = f"the model is worse than it was in {violations} of the last {len(labelled)} looks at outcomes, the newest among them"
    rule = f"{settings.policy_k} of {settings.policy_n} are needed"
    if violations < settings.policy_k:
        return RetrainDecision("watch", f"{found}; {rule} to retrain")
    wait = _cooldown_left(current.model_version, decisions, settings, now).total_seconds()
    if wait > 0:
        return RetrainDecision(
            "watch",
            f"{found}, but a retraining was triggered already: {wait:.0f} of {settings.cooldown_seconds:g} seconds to wait",
        )
    return RetrainDecision("retrain", f"{found}; {rule}")


def _cooldown_left(model_version: str, decisions: Sequence[Decision], settings: Settings, now: datetime) -> timedelta:
    triggered = max((d for d in decisions if d.kind == "policy" and d.action == "retrain"), key=_moment, default=None)
    if triggered is None:
        return timedelta(0)
    # The wait is for what that retraining brings. Once it brought a new champion, the new version is judged by its own looks.
    promoted = any(d.kind == "promotion" and d.decided_at >= triggered.decided_at for d in decisions)
    if promoted and triggered.model_version != model_version:
        return timedelta(0)
    return triggered.decided_at + timedelta(seconds=settings.cooldown_seconds) - now


def _moment(decision: Decision) -> datetime:
    return decision.decided_at
