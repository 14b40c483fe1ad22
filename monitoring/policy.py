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
        The look to decide on; its verdict is not read.
    history : sequence of MonitorRun
        Earlier looks at the same model version, newest first. Looks without labelled rows say nothing here and are skipped.
    decisions : sequence of Decision
        Recent decisions, in any order: those of kind "policy" start the wait, those of kind "promotion" can end it.
    now : datetime
        With time zone.
    """
    if current.labelled_rows == 0:
        if current.covariate_alarm:
            return RetrainDecision(
                "watch", f"the {current.rows} new predictions have drifted; outcomes are needed to judge the model"
            )
        return RetrainDecision("none", f"the {current.rows} new predictions look like the reference")
    if not current.concept_alarm:
        if current.covariate_alarm:
            return RetrainDecision(
                "watch", f"the predictions have drifted, but the model holds on {current.labelled_rows} labelled rows"
            )
        return RetrainDecision("none", f"the model holds on {current.labelled_rows} labelled rows")

    labelled = [look for look in (current, *history) if look.labelled_rows > 0][: settings.policy_n]
    violations = sum(look.concept_alarm for look in labelled)
    found = f"{violations} of the last {len(labelled)} labelled looks violate"
    if violations < settings.policy_k:
        return RetrainDecision("watch", f"{found}; {settings.policy_k} of {settings.policy_n} are needed to retrain")
    waiting_for = _cooldown_left(current.model_version, decisions, settings, now)
    if waiting_for > timedelta(0):
        return RetrainDecision(
            "watch", f"{found}, but a retraining was triggered less than {settings.cooldown_seconds:g} s ago: "
            f"{waiting_for.total_seconds():.0f} s to wait"
        )  # fmt: skip
    return RetrainDecision("retrain", f"{found}, and so does the newest ({settings.policy_k} of {settings.policy_n} are needed)")


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
