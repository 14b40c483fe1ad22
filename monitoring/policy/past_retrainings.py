"""What became of the retrainings that the policy asked for, and whether another may follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from churn.clock import CLOCK_SKEW
from churn.config.settings import Settings
from churn.store.records import Decision, DecisionAction, DecisionKind

DAY = timedelta(days=1)
# How a retraining that was asked for ends.
ENDS = (DecisionKind.RETRAIN, DecisionKind.PROMOTION)


@dataclass(frozen=True)
class PastRetrainings:
    """What became of the retrainings that were asked for.

    Attributes
    ----------
    triggered : list of Decision
        Newest first.
    ended : bool
        Whether the newest of them has ended, one way or the other.
    rejections : int
        Retrainings in a row, up to the newest, that found nothing better; a promotion ends the row.
    promoted : bool
        Whether there was a promotion since the newest was asked for.
    today : int
        Asked for within a day.
    """

    triggered: list[Decision]
    ended: bool
    rejections: int
    promoted: bool
    today: int

    @classmethod
    def of(cls, decisions: Sequence[Decision], now: datetime) -> PastRetrainings:
        """Read the past from decisions, in any order; those of a future that a wrong clock dated are not believed.

        Parameters
        ----------
        decisions : sequence of Decision
        now : datetime
            With time zone.

        Returns
        -------
        PastRetrainings
        """
        believed = [d for d in decisions if d.decided_at <= now + CLOCK_SKEW]
        newest_first = sorted(believed, key=lambda d: d.decided_at, reverse=True)
        triggered = [d for d in newest_first if d.kind == DecisionKind.POLICY and d.action == DecisionAction.RETRAIN]
        since = triggered[0].decided_at if triggered else now
        rejections = 0
        for decision in newest_first:
            if decision.kind == DecisionKind.PROMOTION or (
                decision.kind == DecisionKind.RETRAIN and decision.action == DecisionAction.PROMOTED
            ):
                break
            rejections += decision.kind == DecisionKind.RETRAIN and decision.action == DecisionAction.REJECTED
        return cls(
            triggered=triggered,
            ended=any(d.kind in ENDS and d.decided_at >= since for d in newest_first),
            rejections=rejections,
            promoted=any(d.kind == DecisionKind.PROMOTION and d.decided_at >= since for d in newest_first),
            today=sum(now - d.decided_at < DAY for d in triggered),
        )

    def running(self, now: datetime, settings: Settings) -> str:
        """Describe the retraining that is under way, if there is one; one that is silent for too long counts as dead.

        Parameters
        ----------
        now : datetime
            With time zone.
        settings : Settings

        Returns
        -------
        str
        """
        if not self.triggered or self.ended:
            return ""
        left = self.triggered[0].decided_at + timedelta(seconds=settings.retrain_timeout_seconds) - now
        wait = max(left.total_seconds(), 0.0)
        return f"it has not ended; {wait:.0f} of {settings.retrain_timeout_seconds:g} seconds to wait for it" if wait else ""

    def against(self, model_version: str, now: datetime, settings: Settings) -> str:
        """Return what speaks against another retraining; empty if nothing does.

        Parameters
        ----------
        model_version : str
            Of the run that is decided on.
        now : datetime
            With time zone.
        settings : Settings

        Returns
        -------
        str
        """
        if self.today >= settings.max_retrains_per_day:
            return f"{self.today} within a day, and {settings.max_retrains_per_day} are the most"
        if not self.triggered:
            return ""
        # The wait is for what that retraining brings. Once it brought a new champion, the new version is judged by its own runs.
        if self.promoted and self.triggered[0].model_version != model_version:
            return ""
        once = timedelta(seconds=settings.cooldown_seconds)
        # It doubles with each retraining in vain, up to a day.
        cooldown = min(timedelta(seconds=settings.cooldown_seconds * 2**self.rejections), max(DAY, once))
        left = (self.triggered[0].decided_at + cooldown - now).total_seconds()
        if left <= 0:
            return ""
        in_vain = f", after {self.rejections} in a row that found nothing better" if self.rejections else ""
        return f"{left:.0f} of {cooldown.total_seconds():g} seconds to wait{in_vain}"

    def hopeless(self, settings: Settings) -> bool:
        """Return whether retraining has been tried enough."""
        return self.rejections >= 2 or self.today >= settings.max_retrains_per_day
