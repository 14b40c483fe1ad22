"""One monitoring run: window → drift → performance → policy → a result and a decision to be recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from churn.clock import CLOCK_SKEW
from churn.clock import now as present
from churn.config.params import Gap, ProfitParams
from churn.config.settings import Settings
from churn.contract import Contract
from churn.explain.segmenter import Segmenter
from churn.ids import new_id
from churn.store.records import Decision, DecisionAction, DecisionKind
from churn.store.store import Store
from monitoring.drift.cohorts import Cohorts
from monitoring.outcomes_by_slice import judge_outcomes_by_slice
from monitoring.performance.comparison import compare_performance
from monitoring.performance.concept_drift import detect_concept_drift
from monitoring.performance.cusum import SequentialResult
from monitoring.performance.cusum_calibration import resume
from monitoring.performance.stream_weights import LOOK_BACK, stream_weights
from monitoring.policy.decide import decide, memory
from monitoring.reference import Reference
from monitoring.returning_customers import WindowDrift, judge_window
from monitoring.run_result import Findings, RetrainDecision, RunResult
from monitoring.sensitive_slices import compare_sensitive_groups
from monitoring.slicing import segment_shares
from monitoring.windows import Window, take_window

# How alpha is shared: the customers and answers of a window, its outcomes, and the stream of all outcomes so far.
WINDOW_SHARE, OUTCOME_SHARE, STREAM_SHARE = 0.5, 0.3, 0.2
# Of alpha, too: slices have it where any is judged, and the outcomes of all customers so much less.
SLICE_SHARE = 0.1
# Decisions within the policy's memory: far more than runs fit into it.
RECENT = 5_000
REMEMBERED = (DecisionKind.POLICY, DecisionKind.PROMOTION, DecisionKind.RETRAIN)


@dataclass(frozen=True)
class MonitoringRun:
    """A monitoring run that is not recorded yet.

    Attributes
    ----------
    window : Window
        The rows that were judged.
    result : RunResult
        What was measured and decided.
    decision : Decision
        The policy's decision as `record_run` is going to store it.
    """

    window: Window
    result: RunResult
    decision: Decision

    def with_report(self, path: Path | str) -> MonitoringRun:
        """Return the same run, whose result names its report."""
        return replace(self, result=replace(self.result, report=str(path)))


def run_monitor(
    store: Store,
    contract: Contract,
    settings: Settings,
    model_version: str,
    reference: pd.DataFrame | Reference,
    *,
    now: datetime | None = None,
    campaign: ProfitParams | None = None,
    segmenter: Segmenter | None = None,
    gaps: Sequence[Gap] = ("recall",),
) -> MonitoringRun:
    """Judge what is new of one model version. Write nothing: a run that is killed is simply repeated.

    The false-alarm rate of the whole run is `settings.false_alarm_rate`: half of it goes to the comparison of customers and
    predictions with the reference, of those seen before with themselves, and of newcomers with earlier ones; 30 % to the outcomes
    of the window (where any of its slices is judged, 10 % to these, and 20 % are left), and 20 % to the stream of all outcomes so
    far.

    Parameters
    ----------
    store : Store
        The predictions, outcomes and earlier runs.
    contract : Contract
        The description of a customer.
    settings : Settings
        The false-alarm rate, the sizes of windows and the policy's rules.
    model_version : str
        The version whose predictions are judged.
    reference : pandas.DataFrame or Reference
        What this version was trained on, as `Registry.reference` returns it: columns churn_probability (out-of-fold), churned
        (0 or 1), served_probability, and the contract's features; or the summary of it, made once for many runs.
    now : datetime, optional
        With time zone; the present moment by default.
    campaign : ProfitParams, optional
        What contacting a customer costs and brings; without it there is no profit.
    segmenter : Segmenter, optional
        Of this version, where its segments are slices of the reference.
    gaps : sequence of {"recall", "selection_rate", "false_positive_rate"}
        Which gaps between groups by sensitive columns are told.

    Returns
    -------
    MonitoringRun
        With an empty window where too little is new.

    Raises
    ------
    StoreError
        If the store is away.
    """
    now = now or present()
    alpha = settings.false_alarm_rate
    known = reference if isinstance(reference, Reference) else Reference.of(reference, contract, segmenter=segmenter)
    window = take_window(store, contract, model_version, settings, now)
    labelled = not window.labelled.empty
    seen = known.seen_by(window.kept) if labelled else known
    judged = _judge_customers(store, contract, known, window, WINDOW_SHARE * alpha, segmenter) if window.rows else None
    before = next(iter(_judged_outcomes(store, model_version, 1)), None) if labelled else None
    slices = (
        judge_outcomes_by_slice(store, contract, settings, window, seen, before, SLICE_SHARE * alpha, segmenter)
        if labelled
        else None
    )
    outcome_share = OUTCOME_SHARE - (SLICE_SHARE if slices is not None and slices.judged else 0.0)
    findings = Findings(
        run_id=new_id(),
        started_at=now,
        model_version=model_version,
        window=window.summary(),
        drift=judged.drift if judged else None,
        moved=judged.moved if judged else None,
        newcomers=judged.newcomers if judged else None,
        reported=judged.reported if judged else (),
        cohorts=judged.cohorts if judged else Cohorts(),
        performance=compare_performance(
            known.outcomes, window.labelled, window.answers, window.threshold, campaign, seen=seen.outcomes
        ),
        concept=detect_concept_drift(seen.outcomes, window.labelled, outcome_share * alpha) if labelled else None,
        sequential=_follow_stream(store, settings, window, seen.outcomes, before, STREAM_SHARE * alpha) if labelled else None,
        slices=slices,
        groups=compare_sensitive_groups(store, contract, settings, window, known.slicing.params, gaps) if labelled else None,
        segments=segment_shares(window.current, segmenter) if window.rows else {},
    )
    result = findings.decided(_decide(store, settings, window, findings, now))
    return MonitoringRun(window, result, result.to_decision())


def record_run(store: Store, run: MonitoringRun) -> bool:
    """Write a run and its decision, both or neither.

    The store takes each window of a model version once. If another monitor judged this one in the meantime, or a part of it,
    nothing is written: its decision stands, and this one must not be acted upon.

    Parameters
    ----------
    store : Store
        Where to write.
    run : MonitoringRun
        What `run_monitor` returned.

    Returns
    -------
    bool
        Whether it was written. False also for an empty window.

    Raises
    ------
    StoreError
        If the store is away.
    """
    if run.window.is_empty:
        return False
    return store.write_monitor_run(run.result.to_record(), run.decision, follows=run.window.follows)


def report_path(settings: Settings, run_id: str) -> Path:
    """Return where the page of a run is, or is going to be: the run is recorded before the page is drawn.

    Parameters
    ----------
    settings : Settings
        Of them CHURN_HOME.
    run_id : str
        The run's.

    Returns
    -------
    Path
        An HTML file.
    """
    return settings.home / "reports" / f"{run_id}.html"


def _judge_customers(
    store: Store, contract: Contract, known: Reference, window: Window, alpha: float, segmenter: Segmenter | None
) -> WindowDrift:
    """Judge customers and predictions, with what runs on this model knew of them, up to the newest that judged any."""
    newest = store.monitor_runs(model_version=window.model_version, judged="predictions", limit=1)
    before = RunResult.from_record(newest[0]) if newest else None
    reported, cohorts = (before.reported, before.cohorts) if before is not None else ((), Cohorts())
    return judge_window(store, contract, known.profile, window, reported, cohorts, alpha, segmenter)


def _decide(store: Store, settings: Settings, window: Window, findings: Findings, now: datetime) -> RetrainDecision:
    if window.is_empty:
        return RetrainDecision(
            DecisionAction.NONE,
            f"too little is new: {window.waiting_rows} predictions of {settings.min_window_rows} needed, "
            f"{window.waiting_labelled_rows} outcomes of {settings.min_labelled_rows}"
            + (f" ({window.labels})" if window.labels else ""),
        )
    history = _judged_outcomes(store, window.model_version, settings.policy_n)
    since, until = now - memory(settings), now + CLOCK_SKEW
    recent = [d for kind in REMEMBERED for d in store.decisions(kind=kind, since=since, until=until, limit=RECENT)]
    return decide(findings, history, recent, settings, now)


def _follow_stream(
    store: Store, settings: Settings, window: Window, reference: pd.DataFrame, before: RunResult | None, rate: float
) -> SequentialResult | None:
    """Go on with the stream of outcomes where the last run with outcomes left it; None without a reference."""
    if reference.empty:
        return None
    last = before.sequential if before is not None else None
    # In the order of the predictions, not of arrival: of one cohort all who left are known before those who stayed, and that
    # would look like a change each time.
    outcomes = window.labelled.sort_values("seq", kind="stable")
    earlier = _earlier_outcomes(store, settings, window, outcomes) if last is not None else outcomes.iloc[:0]
    return resume(last, reference, outcomes, false_alarm_rate=rate, weights=stream_weights(earlier, outcomes))


def _earlier_outcomes(store: Store, settings: Settings, window: Window, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the newest outcomes that the stream has taken in already; none where these name no customers."""
    if outcomes["customer_id"].isna().all():
        return outcomes.iloc[:0]
    # By their numbers alone: an index finds them, and whatever came between that is not of this stream is left out.
    until = (window.mature_until, window.mature_until)
    newest = max(window.last_outcome_seq - LOOK_BACK, 0)
    known = store.read_outcomes(
        window.model_version,
        after_outcome_seq=newest,
        newest=LOOK_BACK,
        mature=until,
        contact_effect=settings.contact_effect,
    )
    return known[known["churned"].notna() & ~known["seq"].isin(outcomes["seq"])]


def _judged_outcomes(store: Store, model_version: str, newest: int) -> list[RunResult]:
    """Return the newest runs that judged outcomes, newest first, however long ago they were."""
    records = store.monitor_runs(model_version=model_version, judged="outcomes", limit=newest)
    return [RunResult.from_record(record) for record in records]
