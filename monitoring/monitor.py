"""One look of the monitor: window → drift → performance → policy → a run and a decision to be recorded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from churn.clock import CLOCK_SKEW
from churn.clock import now as present
from churn.config.params import ProfitParams
from churn.config.settings import Settings
from churn.contract import Contract
from churn.ids import new_id
from churn.store.records import Decision, DecisionAction, DecisionKind, MonitorRun
from churn.store.store import Store
from monitoring.drift.detect import DriftReport, detect_drift
from monitoring.performance.concept_drift import ConceptResult, detect_concept_drift
from monitoring.performance.cusum import SequentialResult, State
from monitoring.performance.cusum_calibration import resume
from monitoring.performance.estimation import estimate_performance
from monitoring.performance.metrics import Performance, measure_performance
from monitoring.policy import RetrainDecision, decide, memory
from monitoring.reference import Reference
from monitoring.windows import Window, take_window

# Looks to search for the last n labelled ones: outcomes come late, so most looks have none.
HISTORY = 200
# How alpha is shared: the customers and answers of a window, its outcomes, and the stream of all outcomes so far.
WINDOW_SHARE, OUTCOME_SHARE, STREAM_SHARE = 0.5, 0.3, 0.2
# Decisions within the policy's memory: far more than looks fit into it.
RECENT = 5_000


@dataclass(frozen=True)
class RunResult:
    """What one look saw and decided; nothing of it is written yet.

    Attributes
    ----------
    drift : DriftReport or None
        None where the window has too few new predictions.
    performance, reference_performance, concept, sequential
        None where the window has too few new outcomes.
    run, decision : MonitorRun, Decision
        What `record` is going to write; nothing if the window is empty.
    """

    window: Window
    drift: DriftReport | None
    performance: Performance | None
    reference_performance: Performance | None
    concept: ConceptResult | None
    run: MonitorRun
    decision: Decision
    sequential: SequentialResult | None = None

    def with_report(self, path: Path | str) -> RunResult:
        """Give the same look, whose run says where its report is."""
        return replace(self, run=replace(self.run, report=str(path)))


def look(
    store: Store,
    contract: Contract,
    settings: Settings,
    model_version: str,
    reference: pd.DataFrame | Reference,
    *,
    now: datetime | None = None,
    campaign: ProfitParams | None = None,
) -> RunResult:
    """Judge what is new of one model version. Writes nothing: a look that is killed is simply done again.

    The false-alarm rate of the whole look is `settings.false_alarm_rate`: half of it goes to the comparison of customers and
    predictions with the reference, 30 % to the outcomes of the window, and 20 % to the stream of all outcomes so far.

    Parameters
    ----------
    reference : pandas.DataFrame or Reference
        What this version was trained on, as `Registry.reference` gives it: columns churn_probability (out-of-fold), churned
        (0 or 1), served_probability, and the contract's features; or the summary of it, made once for many looks.
    now : datetime, optional
        With time zone; the present moment by default.
    campaign : ProfitParams, optional
        What contacting a customer costs and brings; without it profit is not told.

    Raises
    ------
    StoreError
        If the store is away.
    """
    now = now or present()
    alpha = settings.false_alarm_rate
    known = reference if isinstance(reference, Reference) else Reference.of(reference, contract)
    outcomes = known.outcomes
    window = take_window(store, contract, model_version, settings, now)
    drift, performance, reference_performance, concept, stream = None, None, None, None, None
    terms: dict[str, Any] = {"campaign": campaign, "threshold": window.threshold}
    if window.rows:
        drift = detect_drift(known.profile, window.parts(), contract, WINDOW_SHARE * alpha)
    if not window.labelled.empty:
        performance, reference_performance = (measure_performance(side, **terms) for side in (window.labelled, outcomes))
        concept = detect_concept_drift(outcomes, window.labelled, OUTCOME_SHARE * alpha)
        stream = _listen(store, window, outcomes, STREAM_SHARE * alpha)

    expected = estimate_performance(outcomes, window.answers, **terms)

    run = MonitorRun(
        run_id=new_id(),
        started_at=now,
        model_version=model_version,
        last_seq=window.last_seq,
        last_outcome_seq=window.last_outcome_seq,
        mature_until=window.mature_until,
        rows=window.rows,
        labelled_rows=len(window.labelled),
        covariate_alarm=bool(drift and drift.drifted),
        concept_alarm=bool(concept and concept.alarm) or bool(stream and stream[1].alarm),
        verdict={
            "window": _describe(window),
            "drift": drift.as_dict() if drift else None,
            "performance": {
                "window": asdict(performance) if performance else None,
                "reference": asdict(reference_performance) if reference_performance else None,
                "estimated": expected.as_dict() if expected else None,
                "gaps": _gaps(outcomes, window, terms) if performance else [],
                "currency": campaign.currency if campaign else None,
            },
            "concept": concept.as_dict() | {"sequential": _heard(stream)} if concept else None,
        },
    )
    policy = _decide(store, settings, window, run, now)
    run = replace(run, verdict=run.verdict | {"policy": asdict(policy)})
    decision = Decision(
        kind=DecisionKind.POLICY,
        action=policy.action,
        actor="monitor",
        reason=policy.reason,
        model_version=model_version,
        evidence=_summary(run, drift, performance, concept, stream[1] if stream else None),
        decided_at=now,
    )
    return RunResult(window, drift, performance, reference_performance, concept, run, decision, stream[1] if stream else None)


def record(store: Store, look: RunResult) -> bool:
    """Write a look, run and decision, both or neither. Tell whether it was written.

    The store takes each window of a model version once. If another monitor judged this one in the meantime, or a part of it,
    nothing is written and False is returned: its decision stands, and this one must not be acted upon. False also for an empty
    window.

    Raises
    ------
    StoreError
        If the store is away.
    """
    return not look.window.is_empty and store.write_monitor_run(look.run, look.decision, follows=look.window.follows)


def report_path(settings: Settings, run_id: str) -> Path:
    """Say where the page of a look is, or is going to be: the look is recorded before it is drawn."""
    return settings.home / "reports" / f"{run_id}.html"


def _decide(store: Store, settings: Settings, window: Window, run: MonitorRun, now: datetime) -> RetrainDecision:
    if window.is_empty:
        return RetrainDecision(
            DecisionAction.NONE,
            f"too little is new: {window.waiting_rows} predictions of {settings.min_window_rows} needed, "
            f"{window.waiting_labelled_rows} outcomes of {settings.min_labelled_rows}",
        )
    history = store.monitor_runs(model_version=run.model_version, limit=HISTORY)
    since, until = now - memory(settings), now + CLOCK_SKEW
    kinds = (DecisionKind.POLICY, DecisionKind.PROMOTION, DecisionKind.RETRAIN)
    recent = [d for kind in kinds for d in store.decisions(kind=kind, since=since, until=until, limit=RECENT)]
    return decide(run, history, recent, settings, now)


def _gaps(reference: pd.DataFrame, window: Window, terms: dict[str, Any]) -> list[str]:
    """Name the measures that came out otherwise than the same customers' answers promised: a sign that the concept changed."""
    realized = measure_performance(window.labelled, intervals=False, **terms)
    promised = estimate_performance(reference, window.labelled["churn_probability"].to_numpy(dtype="float64"), **terms)
    if promised is None:
        return []
    found = {name: getattr(realized, name) for name in promised.intervals}
    return [
        name for name, (low, high) in promised.intervals.items() if found[name] is not None and not low <= found[name] <= high
    ]


def _listen(store: Store, window: Window, reference: pd.DataFrame, rate: float) -> tuple[State, SequentialResult] | None:
    """Let the stream of outcomes go on from where the last look at outcomes left it; None without a reference."""
    if reference.empty:
        return None
    looks = store.monitor_runs(model_version=window.model_version, limit=HISTORY)
    heard = (((look.verdict or {}).get("concept") or {}).get("sequential") for look in looks)
    last = next((found for found in heard if found), None)
    outcomes = window.labelled.sort_values("outcome_seq", kind="stable")
    return resume(last, reference, outcomes, false_alarm_rate=rate)


def _heard(stream: tuple[State, SequentialResult] | None) -> dict[str, Any] | None:
    return None if stream is None else stream[1].as_dict() | {"state": stream[0].as_dict()}


def _describe(window: Window) -> dict[str, Any]:
    span = window.span
    return {
        "rows": window.rows,
        "labelled_rows": len(window.labelled),
        "waiting_rows": window.waiting_rows,
        "waiting_labelled_rows": window.waiting_labelled_rows,
        "from": span[0].isoformat() if span else None,
        "until": span[1].isoformat() if span else None,
    }


def _summary(
    run: MonitorRun,
    drift: DriftReport | None,
    performance: Performance | None,
    concept: ConceptResult | None,
    stream: SequentialResult | None,
) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "rows": run.rows,
        "labelled_rows": run.labelled_rows,
        "covariate_alarm": run.covariate_alarm,
        "concept_alarm": run.concept_alarm,
        "drifted": [f"{result.feature} ({result.aspect})" for result in drift.drifted] if drift else [],
        "roc_auc": performance.roc_auc if performance else None,
        "brier": performance.brier if performance else None,
        "calibration_in_the_large": performance.calibration_in_the_large if performance else None,
        "violated": ([test.question for test in concept.tests if test.violated] if concept else [])
        + ([stream.kind] if stream and stream.alarm else []),
    }
