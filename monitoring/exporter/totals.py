"""What was counted over all time, for Prometheus: outcomes, decisions, changes of the champion, runs of the flows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import Metric

from churn.clock import newest_credible, now
from churn.store.decisions import DecisionCount
from churn.store.flow_runs import FlowRunCounts
from churn.store.records import DecisionAction, DecisionKind, MonitorRun
from churn.store.store import Store
from monitoring.exporter.metrics import exported
from monitoring.policy.decide import ACTIONS

COMPLETED = (DecisionAction.PROMOTED, DecisionAction.REJECTED)
PROMOTIONS = (DecisionKind.PROMOTION, DecisionKind.ROLLBACK)
# A series each; a campaign that was over long ago is looked up in the store.
MAX_CAMPAIGNS = 100
MONITOR, TRAIN = "monitor", "train"


def collect_totals(store: Store) -> Iterator[Metric]:
    """Yield the counts over all time.

    Series that alerts read stand at 0 from the start: Prometheus does not see a counter's first step if it begins with it.

    Parameters
    ----------
    store : Store
        An open store.

    Yields
    ------
    Metric
        One family after the other.

    Raises
    ------
    StoreError
        If the store is away.
    """
    yield exported("churn_outcomes_total", store.count_outcomes())
    yield exported("churn_contacts_total", {(one.name,): float(one.contacts) for one in store.campaigns(newest=MAX_CAMPAIGNS)})
    yield exported("churn_opt_outs", store.count_opt_outs())
    for name, newest in (
        ("churn_outcomes_last_received_timestamp_seconds", store.last_outcome_at()),
        ("churn_predictions_last_timestamp_seconds", store.last_prediction_at()),
    ):
        if newest is not None:
            yield exported(name, newest.timestamp())
    counts = store.count_decisions((DecisionKind.POLICY, DecisionKind.RETRAIN, *PROMOTIONS))
    retrained = _summed(counts, lambda one: (one.evidence_reason, one.action) if one.kind == DecisionKind.RETRAIN else None)
    by_action = _summed(counts, lambda one: (one.action,) if one.kind == DecisionKind.POLICY else None)
    by_kind = _summed(counts, lambda one: (one.kind,) if one.kind in PROMOTIONS else None)
    yield exported("churn_retrains_total", {key: float(count) for key, (count, _) in retrained.items()})
    yield exported("churn_policy_decisions_total", {(a,): float(by_action.get((a,), (0, None))[0]) for a in ACTIONS})
    newest_decision = store.decisions(kind=DecisionKind.POLICY, limit=1)
    if newest_decision:
        yield exported("churn_policy_action", {(a,): float(newest_decision[0].action == a) for a in ACTIONS})
    yield exported("churn_promotions_total", {(k,): float(by_kind.get((k,), (0, None))[0]) for k in PROMOTIONS})
    yield exported("churn_promotion_timestamp_seconds", {key: when.timestamp() for key, (_, when) in by_kind.items()})
    newest_runs = store.monitor_runs(limit=1)
    yield from _flows(
        store.flow_runs(), newest_runs, [when for (_, result), (_, when) in retrained.items() if result in COMPLETED]
    )


def _flows(flows: list[FlowRunCounts], runs: list[MonitorRun], trained: list[datetime]) -> Iterator[Metric]:
    # Monitoring runs and trainings that no flow counted (`churn monitor --once`) are known all the same.
    ended = {MONITOR: [run.started_at for run in runs], TRAIN: list(trained)}
    for flow in flows:
        if flow.last_success_at is not None:
            ended.setdefault(flow.flow, []).append(flow.last_success_at)
    # What one source dates ahead does not hide what the other says: the alerts ask how long ago a flow ended well.
    success = {name: newest_credible(moments, now()) for name, moments in ended.items() if moments}
    counts: dict[tuple[str, ...], float] = {
        (flow.flow, result): float(count)
        for flow in flows
        for result, count in (("succeeded", flow.succeeded), ("failed", flow.failed))
    }
    if MONITOR in success:
        yield exported("churn_monitor_last_run_timestamp_seconds", success[MONITOR].timestamp())
    yield exported("churn_flow_runs_total", counts)
    yield exported("churn_flow_last_run_timestamp_seconds", {(f.flow,): f.last_ended_at.timestamp() for f in flows})
    yield exported("churn_flow_last_success_timestamp_seconds", {(name,): when.timestamp() for name, when in success.items()})
    yield exported("churn_flow_last_failed", {(f.flow,): float(bool(f.last_failure)) for f in flows})
    yield exported("churn_flow_duration_seconds", {(f.flow,): f.last_seconds for f in flows})


def _summed(
    counts: list[DecisionCount], key_of: Callable[[DecisionCount], tuple[str, ...] | None]
) -> dict[tuple[str, ...], tuple[int, datetime]]:
    """Sum counts by a key, leaving out those without one, and return with each sum when the newest decision was made."""
    sums: dict[tuple[str, ...], tuple[int, datetime]] = {}
    for one in counts:
        key = key_of(one)
        if key is not None:
            count, newest_at = sums.get(key, (0, one.newest_at))
            sums[key] = (count + one.count, max(newest_at, one.newest_at))
    return sums
