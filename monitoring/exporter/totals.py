"""What was counted over all time, for Prometheus: outcomes, decisions, changes of the champion, runs of the flows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client.core import Metric

from churn.store.flow_runs import FlowRuns
from churn.store.outcome_count import count_outcomes
from churn.store.records import DecisionAction, DecisionKind, MonitorRun
from churn.store.store import Store
from churn.store.tables import decisions, outcomes, predictions
from monitoring.exporter.metrics import exported
from monitoring.policy import ACTIONS

COMPLETED = (DecisionAction.PROMOTED, DecisionAction.REJECTED)
PROMOTIONS = (DecisionKind.PROMOTION, DecisionKind.ROLLBACK)
MONITOR, TRAIN = "monitor", "train"


def collect_totals(store: Store, runs: list[MonitorRun]) -> Iterator[Metric]:
    """Tell the counts; `runs` are the newest looks, newest first.

    Series that alerts look at stand at 0 from the start: Prometheus does not see a counter's first step if it begins with it.

    Raises
    ------
    StoreError, SQLAlchemyError
        If the store is away.
    """
    with store.engine.connect() as connection:
        yield exported("churn_outcomes_total", count_outcomes(connection))
        for name, moment, table in (
            ("churn_outcomes_last_received_timestamp_seconds", outcomes.c.received_at, outcomes),
            ("churn_predictions_last_timestamp_seconds", predictions.c.requested_at, predictions),
        ):
            newest = _one(connection, sa.select(moment).order_by(table.c.seq.desc()).limit(1))
            if newest is not None:
                yield exported(name, newest.timestamp())
        retrained = _retrains(connection)
        by_action = _counted(connection, decisions.c.action, DecisionKind.POLICY)
        by_kind = _counted(connection, decisions.c.kind, *PROMOTIONS)
    yield exported("churn_retrains_total", {key: float(count) for key, (count, _) in retrained.items()})
    yield exported("churn_policy_decisions_total", {(a,): float(by_action.get(a, (0, None))[0]) for a in ACTIONS})
    newest_decision = store.decisions(kind=DecisionKind.POLICY, limit=1)
    if newest_decision:
        yield exported("churn_policy_action", {(a,): float(newest_decision[0].action == a) for a in ACTIONS})
    yield exported("churn_takeovers_total", {(k,): float(by_kind.get(k, (0, None))[0]) for k in PROMOTIONS})
    yield exported("churn_takeover_timestamp_seconds", {(k,): when.timestamp() for k, (_, when) in by_kind.items()})
    yield from _flows(store.flow_runs(), runs, [when for (_, result), (_, when) in retrained.items() if result in COMPLETED])


def _flows(flows: list[FlowRuns], runs: list[MonitorRun], trained: list[datetime]) -> Iterator[Metric]:
    # Looks and trainings of systems that did not count the runs of flows yet are known all the same.
    success = {MONITOR: runs[0].started_at} if runs else {}
    success |= {TRAIN: max(trained)} if trained else {}
    for flow in flows:
        if flow.last_success_at is not None:
            success[flow.flow] = max(flow.last_success_at, success.get(flow.flow, flow.last_success_at))
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


def _one(connection: sa.Connection, query: sa.Select[Any]) -> Any:
    return connection.execute(query).scalar_one_or_none()


def _counted(connection: sa.Connection, by: sa.Column[str], *kinds: str) -> dict[str, tuple[int, datetime]]:
    """Count decisions of some kinds by one of their columns, and say when the newest was made."""
    query = sa.select(by, sa.func.count(), sa.func.max(decisions.c.decided_at)).where(decisions.c.kind.in_(kinds)).group_by(by)
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}


def _retrains(connection: sa.Connection) -> dict[tuple[str, ...], tuple[int, datetime]]:
    reason = sa.func.coalesce(decisions.c.evidence["reason"].as_string(), "")
    query = (
        sa.select(reason, decisions.c.action, sa.func.count(), sa.func.max(decisions.c.decided_at))
        .where(decisions.c.kind == DecisionKind.RETRAIN)
        .group_by(reason, decisions.c.action)
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query)}
