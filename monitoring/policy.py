"""What follows from a monitoring run: nothing, watching, retraining, or paging somebody. Pure: it reads and writes nothing.

Retrain when k of the last n labelled runs violate and the newest does (the rule of Databricks' mlops-stacks), and nothing speaks
against it: a retraining that runs, one just made, too many in a day, or one after the other that found nothing better. Where
the newest run alone says as clearly as k of them together that the model is worse, it is enough: a company that scores its base
once a month would wait another month for the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from churn.clock import CLOCK_SKEW
from churn.config.settings import Settings
from churn.store.records import Decision, DecisionAction, DecisionKind
from monitoring.drift.results import DriftResult
from monitoring.run_result import Findings, RetrainDecision

ACTIONS = (DecisionAction.NONE, DecisionAction.WATCH, DecisionAction.RETRAIN, DecisionAction.PAGE)
DAY = timedelta(days=1)
# How a retraining that was asked for ends.
ENDS = (DecisionKind.RETRAIN, DecisionKind.PROMOTION)
# Features that a reason names.
MAX_NAMED = 3


def decide(
    current: Findings, history: Sequence[Findings], decisions: Sequence[Decision], settings: Settings, now: datetime
) -> RetrainDecision:
    """Decide what follows from a monitoring run.

    Only performance on outcomes can call for retraining: without them nobody knows whether a population that looks different
    is also answered worse. Paging is for a model that is bad in fact and that retraining does not mend.

    Parameters
    ----------
    current : Findings
        The run to decide on.
    history : sequence of Findings
        Earlier runs on the same model version, newest first: at least the last n with outcomes. Those without are skipped.
    decisions : sequence of Decision
        Those of `memory(settings)`, in any order: kind "policy" starts a wait, "retrain" and "promotion" end it.
    settings : Settings
        The policy's k, n, waits and limits.
    now : datetime
        With time zone.

    Returns
    -------
    RetrainDecision
        With its reason.
    """
    if current.concept_alarm:
        return _on_violation(current, history, decisions, settings, now)
    if current.window.blind or current.window.leavers_only or current.missed_groups:
        return RetrainDecision(DecisionAction.WATCH, _for_a_person(current))
    found, noted = _found(current), _named(current.news, note=True)
    if current.labelled_rows == 0:
        if current.covariate_alarm:
            return RetrainDecision(DecisionAction.WATCH, f"{found}; outcomes are needed to judge the model")
        # While one class has not been heard of, nobody would learn why the model is not judged.
        waits = f"; {current.window.labels}" if current.window.maturity_seconds is None and current.window.labels else ""
        return RetrainDecision(DecisionAction.NONE, f"{_calm(current, noted)}{waits}")
    if current.covariate_alarm:
        return RetrainDecision(DecisionAction.WATCH, f"{found}, but the model holds on {current.labelled_rows} outcomes")
    holds = f"the model holds on {current.labelled_rows} outcomes"
    return RetrainDecision(DecisionAction.NONE, f"{holds}; drift only in columns that it ignores{noted}" if noted else holds)


def memory(settings: Settings) -> timedelta:
    """Return how far back `decide` reads decisions: beyond the longest wait, and a day."""
    return max(DAY, 2 * timedelta(seconds=max(settings.cooldown_seconds, settings.retrain_timeout_seconds)))


def _for_a_person(current: Findings) -> str:
    """Say what no retraining is known to mend: that nothing more can be known, or groups that a version never served well."""
    if current.window.blind or current.window.leavers_only:
        return f"whether the model holds can no longer be known: {current.window.labels}"
    missed = f"the model misses groups since the first outcomes of its version: {_listed(current.missed_groups)}"
    return f"{missed}; it takes a person to say what helps them"


def _found(run: Findings) -> str:
    """Say what moved since it was last seen, how newcomers differ, and what differs from the reference, as far as it is news."""
    found = []
    if run.moved is not None and (moved := _named(run.moved.news, note=False)):
        found.append(f"{run.moved.rows} customers moved since they were last seen{moved}")
    if run.newcomers is not None and (unlike := _named(run.newcomers.news, note=False)):
        found.append(f"{run.newcomers.rows} newcomers are unlike the {run.newcomers.reference_rows} before them{unlike}")
    if run.drift is not None and (differs := _named(run.drift.news, note=False)):
        found.append(f"{run.rows} predictions drifted from the reference{differs}")
    return ", and ".join(found)


def _calm(run: Findings, noted: str) -> str:
    known = _named(run.drift.known if run.drift else (), note=None)
    if known:
        calm = f"the {run.rows} new predictions differ from the reference only as was said before{known}"
    else:
        calm = f"the {run.rows} new predictions look like the reference"
    if run.moved is not None and not run.moved.news:
        calm += f", and nothing moved since {run.moved.rows} of their customers were last seen"
    return f"{calm}, but for columns that the model ignores{noted}" if noted else calm


def _named(results: Sequence[DriftResult], *, note: bool | None) -> str:
    """Name the features of results, in brackets, most important first; empty if there are none. `note` None: all of them."""
    results = [result for result in results if note is None or result.note is note]
    drifted = sorted(results, key=lambda r: (-abs(r.impact or 0.0), r.p_value, -r.statistic))
    names = list(dict.fromkeys(r.measure if r.aspect == "slice" else r.feature for r in drifted))
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f" ({', '.join(names[:MAX_NAMED])}{more})" if names else ""


def _on_violation(
    current: Findings, history: Sequence[Findings], decisions: Sequence[Decision], settings: Settings, now: datetime
) -> RetrainDecision:
    labelled = [run for run in (current, *history) if run.labelled_rows > 0][: settings.policy_n]
    violations = sum(run.concept_alarm for run in labelled)
    stream = current.sequential
    if stream is not None and stream.alarm:
        # The stream's evidence comes from all runs since the change began, and is spent in the one that alarms.
        violations = sum(run.concept_alarm or _mostly_after(run, stream.change_point) for run in labelled)
    found = (
        f"the model is worse than it was in {violations} of the last {len(labelled)} runs with outcomes, the newest among them"
    )
    if current.worse_slices:
        found += f": {_listed(current.worse_slices)}"
    rule = f"{settings.policy_k} of {settings.policy_n} are needed"
    alone = _as_clear_as(current, settings.policy_k)
    if alone is not None and violations < settings.policy_k:
        rule += f", or one as clear as {settings.policy_k} together (p = {alone:.1g})"
    elif violations < settings.policy_k:
        return RetrainDecision(DecisionAction.WATCH, f"{found}; {rule} to retrain")
    past = _Past.of(decisions, settings, now)
    if running := past.running(now, settings):
        return RetrainDecision(DecisionAction.WATCH, f"{found}, but a retraining was triggered already: {running}")
    if against := past.against(current.model_version, now, settings):
        worse = _worse_by(current)
        if past.hopeless(settings) and worse is not None and worse > settings.page_brier:
            bad = f"Brier score {worse:+.3f} against the reference (more than {settings.page_brier:g})"
            return RetrainDecision(DecisionAction.PAGE, f"{found}, {bad}, and retraining does not mend it: {against}")
        return RetrainDecision(DecisionAction.WATCH, f"{found}, but a retraining was triggered already: {against}")
    return RetrainDecision(DecisionAction.RETRAIN, f"{found}; {rule}")


def _as_clear_as(run: Findings, violations: int) -> float | None:
    """Return a run's p-value if its outcomes contradict the model as clearly as so many runs that just violate; else None.

    Each of them would do so by chance with the probability of its threshold, and all of them with the product.
    """
    tests = run.concept.tests if run.concept is not None else ()
    clear = [test.p_value for test in tests if test.violated and test.p_value <= test.threshold**violations]
    if run.slices is not None:
        clear += [one.p_value for one in run.slices.alarms if one.p_value <= run.slices.alpha**violations]
    return min(clear, default=None)


def _listed(said: Sequence[str]) -> str:
    more = f"; and {len(said) - MAX_NAMED} more" if len(said) > MAX_NAMED else ""
    return "; ".join(said[:MAX_NAMED]) + more


def _mostly_after(run: Findings, change_point: int) -> bool:
    """Return whether at least half of a run's outcomes came after so many outcomes of the stream."""
    return run.sequential is not None and 2 * change_point <= 2 * run.sequential.seen - run.labelled_rows


@dataclass(frozen=True)
class _Past:
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
    def of(cls, decisions: Sequence[Decision], settings: Settings, now: datetime) -> _Past:
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
        """Describe the retraining that is under way, if there is one; one that is silent for too long counts as dead."""
        if not self.triggered or self.ended:
            return ""
        left = self.triggered[0].decided_at + timedelta(seconds=settings.retrain_timeout_seconds) - now
        wait = max(left.total_seconds(), 0.0)
        return f"it has not ended; {wait:.0f} of {settings.retrain_timeout_seconds:g} seconds to wait for it" if wait else ""

    def against(self, model_version: str, now: datetime, settings: Settings) -> str:
        """Return what speaks against another retraining; empty if nothing does."""
        if self.today >= settings.max_retrains_per_day:
            return f"{self.today} within a day, and {settings.max_retrains_per_day} are the most"
        if not self.triggered:
            return ""
        # The wait is for what that retraining brings. Once it brought a new champion, the new version is judged by its own runs.
        if self.promoted and self.triggered[0].model_version != model_version:
            return ""
        cooldown = min(timedelta(seconds=settings.cooldown_seconds * 2**self.rejections), max(DAY, _seconds(settings)))
        left = (self.triggered[0].decided_at + cooldown - now).total_seconds()
        if left <= 0:
            return ""
        in_vain = f", after {self.rejections} in a row that found nothing better" if self.rejections else ""
        return f"{left:.0f} of {cooldown.total_seconds():g} seconds to wait{in_vain}"

    def hopeless(self, settings: Settings) -> bool:
        """Return whether retraining has been tried enough."""
        return self.rejections >= 2 or self.today >= settings.max_retrains_per_day


def _seconds(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.cooldown_seconds)


def _worse_by(run: Findings) -> float | None:
    """Return by how much the Brier score on outcomes is above the reference's; None if either is not known."""
    realized, reference = run.performance.realized, run.performance.reference
    if realized is None or reference is None or realized.brier is None or reference.brier is None:
        return None
    return realized.brier - reference.brier
