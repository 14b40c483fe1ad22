"""What follows from a monitoring run: nothing, watching, retraining, or paging somebody. Pure: it reads and writes nothing.

Retrain when k of the last n labelled runs violate and the newest does (the rule of Databricks' mlops-stacks), and nothing speaks
against it: a retraining that runs, one just made, too many in a day, or one after the other that found nothing better. Where
the newest run alone says as clearly as k of them together that the model is worse, it is enough: a company that scores its base
once a month would wait another month for the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from churn.config.settings import Settings
from churn.store.records import Decision, DecisionAction
from monitoring.policy.past_retrainings import DAY, PastRetrainings
from monitoring.policy.wording import (
    describe_calm,
    describe_drift,
    describe_for_a_person,
    describe_violations,
    name_features,
)
from monitoring.run_result import Findings, RetrainDecision

ACTIONS = (DecisionAction.NONE, DecisionAction.WATCH, DecisionAction.RETRAIN, DecisionAction.PAGE)


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
        return RetrainDecision(DecisionAction.WATCH, describe_for_a_person(current))
    found, noted = describe_drift(current), name_features(current.news, note=True)
    if current.labelled_rows == 0:
        if current.covariate_alarm:
            return RetrainDecision(DecisionAction.WATCH, f"{found}; outcomes are needed to judge the model")
        # While one class has not been heard of, nobody would learn why the model is not judged.
        waits = f"; {current.window.labels}" if current.window.maturity_seconds is None and current.window.labels else ""
        return RetrainDecision(DecisionAction.NONE, f"{describe_calm(current, noted)}{waits}")
    if current.covariate_alarm:
        return RetrainDecision(DecisionAction.WATCH, f"{found}, but the model holds on {current.labelled_rows} outcomes")
    holds = f"the model holds on {current.labelled_rows} outcomes"
    return RetrainDecision(DecisionAction.NONE, f"{holds}; drift only in columns that it ignores{noted}" if noted else holds)


def memory(settings: Settings) -> timedelta:
    """Return how far back `decide` reads decisions: beyond the longest wait, and a day."""
    return max(DAY, 2 * timedelta(seconds=max(settings.cooldown_seconds, settings.retrain_timeout_seconds)))


def _on_violation(
    current: Findings, history: Sequence[Findings], decisions: Sequence[Decision], settings: Settings, now: datetime
) -> RetrainDecision:
    """Decide what follows where the newest outcomes say that the model is worse: retrain, unless something speaks against it."""
    labelled = [run for run in (current, *history) if run.labelled_rows > 0][: settings.policy_n]
    violations = _count_violations(current, labelled)
    found = describe_violations(current, violations, len(labelled))
    rule = f"{settings.policy_k} of {settings.policy_n} are needed"
    if violations < settings.policy_k:
        alone = _as_clear_as(current, settings.policy_k)
        if alone is None:
            return RetrainDecision(DecisionAction.WATCH, f"{found}; {rule} to retrain")
        rule += f", or one as clear as {settings.policy_k} together (p = {alone:.1g})"
    past = PastRetrainings.of(decisions, now)
    if running := past.running(now, settings):
        return RetrainDecision(DecisionAction.WATCH, f"{found}, but a retraining was triggered already: {running}")
    against = past.against(current.model_version, now, settings)
    if not against:
        return RetrainDecision(DecisionAction.RETRAIN, f"{found}; {rule}")
    worse = _worse_by(current)
    if past.hopeless(settings) and worse is not None and worse > settings.page_brier:
        bad = f"Brier score {worse:+.3f} against the reference (more than {settings.page_brier:g})"
        return RetrainDecision(DecisionAction.PAGE, f"{found}, {bad}, and retraining does not mend it: {against}")
    return RetrainDecision(DecisionAction.WATCH, f"{found}, but a retraining was triggered already: {against}")


def _count_violations(current: Findings, labelled: Sequence[Findings]) -> int:
    """Count the runs with outcomes that found the model worse."""
    stream = current.sequential
    if stream is None or not stream.alarm:
        return sum(run.concept_alarm for run in labelled)
    # The stream's evidence comes from all runs since the change began, and is spent in the one that alarms.
    return sum(run.concept_alarm or _mostly_after(run, stream.change_point) for run in labelled)


def _as_clear_as(run: Findings, violations: int) -> float | None:
    """Return a run's p-value if its outcomes contradict the model as clearly as so many runs that just violate; else None.

    Each of them would do so by chance with the probability of its threshold, and all of them with the product.
    """
    tests = run.concept.tests if run.concept is not None else ()
    clear = [test.p_value for test in tests if test.violated and test.p_value <= test.threshold**violations]
    if run.slices is not None:
        clear += [one.p_value for one in run.slices.alarms if one.p_value <= run.slices.alpha**violations]
    return min(clear, default=None)


def _mostly_after(run: Findings, change_point: int) -> bool:
    """Return whether at least half of a run's outcomes came after so many outcomes of the stream."""
    return run.sequential is not None and 2 * change_point <= 2 * run.sequential.seen - run.labelled_rows


def _worse_by(run: Findings) -> float | None:
    """Return by how much the Brier score on outcomes is above the reference's; None if either is not known."""
    realized, reference = run.performance.realized, run.performance.reference
    if realized is None or reference is None or realized.brier is None or reference.brier is None:
        return None
    return realized.brier - reference.brier
