"""Everything that the system asks of a store in its life, through the code that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from churn.contract import Contract
from churn.ids import new_id
from churn.lifecycle.mature_traffic import read_mature_traffic
from churn.store.erasure import erase_customer
from churn.store.outcomes.delays import Delays
from churn.store.records import Decision, DecisionAction, DecisionKind, MonitorRun, Outcome
from churn.store.retention import prune
from churn.store.store import Store
from churn.store.tables import outcomes, predictions
from monitoring.exporter.totals import collect_totals
from pipelines.local.status import _traffic

MATURITY_SECONDS = 30 * 86_400.0
Question = tuple[str, Callable[[], Any]]


def questions(store: Store, contract: Contract, *, window: int, gate_rows: int) -> Iterator[Question]:
    """Give each with its name, the ones that change anything last."""
    version = "3"
    with store.engine.connect() as connection:
        p, o = predictions.c, outcomes.c
        after = int(connection.execute(sa.select(sa.func.max(p.seq))).scalar_one()) - window
        after_outcome = int(connection.execute(sa.select(sa.func.max(o.seq))).scalar_one()) - window // 10
        some = connection.execute(sa.select(p.customer_id, p.prediction_id).where(p.seq > after).limit(1000)).all()
        middle = connection.execute(sa.select(p.requested_at).where(p.seq == after)).scalar_one()
    mature = (middle - timedelta(days=5), middle)

    yield "monitoring run: the span of the window", lambda: store.find_span(version, after_seq=after, newest=window).rows
    span = store.find_span(version, after_seq=after, newest=window)
    yield (
        "monitoring run: a sample of it",
        lambda: _count(store.iter_predictions(contract, version, span, share=min(1, 20_000 / window))),
    )
    yield "monitoring run: all of it, as frames", lambda: _count(store.iter_predictions(contract, version, span))
    yield (
        "monitoring run: new outcomes",
        lambda: len(store.read_outcomes(version, after_outcome_seq=after_outcome, newest=window)),
    )
    yield (
        "monitoring run: outcomes that came of age",
        lambda: len(store.read_outcomes(version, after_outcome_seq=after_outcome, newest=window, mature=mature)),
    )
    yield (
        "monitoring run: earlier runs and decisions",
        lambda: (store.monitor_runs(model_version=version), store.decisions(kind=DecisionKind.POLICY)),
    )
    yield (
        "/metrics of the monitor",
        lambda: (
            store.monitor_runs(judged="predictions", limit=1),
            store.monitor_runs(judged="outcomes", limit=1),
            list(collect_totals(store)),
        ),
    )
    yield "churn status", lambda: _traffic(store)
    yield (
        "probation: mature outcomes of a version",
        lambda: len(store.realized(version, since=mature[0], after_outcome_seq=after_outcome, mature=mature, limit=1000)),
    )
    told = datetime.now(UTC)
    yield "maturity: delays of outcomes", lambda: sum(map(len, _both(store.outcome_delays(told))))
    yield (
        "gate: mature labelled traffic",
        lambda: len(read_mature_traffic(store, contract, MATURITY_SECONDS, newest=gate_rows, now=told).rows),
    )
    yield "outcome: one customer", lambda: store.write_outcomes([Outcome(True, told, customer_id=some[0].customer_id)]).accepted
    by_name = [Outcome(True, told, customer_id=row.customer_id) for row in some]
    yield "outcomes: 1,000 customers", lambda: store.write_outcomes(by_name).accepted
    by_id = [Outcome(True, told, prediction_id=row.prediction_id) for row in some]
    yield "outcomes: 1,000 predictions", lambda: store.write_outcomes(by_id).accepted
    wrong = [replace(one, churned=False, observed_at=told + timedelta(seconds=1), corrects=True) for one in by_id]
    yield "outcomes: 1,000 corrections", lambda: store.write_outcomes(wrong).corrected
    run = MonitorRun(new_id(), told, version, span.last_seq, after_outcome, span.rows, 0, False, False, {})
    yield (
        "monitoring run: written down",
        lambda: store.write_monitor_run(run, Decision(DecisionKind.POLICY, DecisionAction.NONE, "monitor", "")),
    )
    yield "erasure: one customer", lambda: erase_customer(store.engine, [some[1].customer_id], reason="benchmark").predictions
    first = datetime.now(UTC) - timedelta(days=178)
    yield "retention: two days", lambda: prune(store.engine, first, even_unjudged=True).predictions


def _both(delays: Delays) -> tuple[Any, Any]:
    return delays.left, delays.stayed


def _count(parts: Iterator[Any]) -> int:
    return sum(len(part) for part in parts)
