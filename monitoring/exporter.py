"""What the monitor saw, for Prometheus. Stateless: each scrape reads the store, so that a restart loses and doubles nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from churn.errors import StoreError
from churn.records import MonitorRun
from churn.settings import Settings
from churn.store import Store
from churn.tables import decisions, outcomes
from monitoring.drift import surprise

# The newest look may have judged only predictions, or only outcomes: so far back the newest of each kind is searched.
LOOKS = 50
COMPLETED = ("promoted", "rejected")


class MonitorCollector(Collector):
    """Reads the store at each scrape. If the store is away, the answer is `churn_monitor_up 0` and nothing else.

    Parameters
    ----------
    open_store : callable
        Connects to the store; called at the first scrape, and again until it succeeds.
    """

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self._store: Store | None = None
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Give every metric family of the monitor."""
        up = GaugeMetricFamily("churn_monitor_up", "1 if the store that the monitor's numbers come from answers, else 0.")
        families: list[Metric] = []
        try:
            store = self._connected()
            runs = store.monitor_runs(limit=LOOKS)
            families = [*_looks(runs), *_totals(_count(store.engine), runs)]
            up.add_metric([], 1)
        except (StoreError, SQLAlchemyError, OSError):
            up.add_metric([], 0)
        yield up
        yield from families

    def describe(self) -> list[Metric]:
        """Give nothing: registering must not ask the store."""
        return []

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _connected(self) -> Store:
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store


def serve_exporter(settings: Settings, *, stop: threading.Event | None = None) -> None:
    """Answer Prometheus on `settings.exporter_host` until `stop` is set; without it, until the process is stopped.

    The store may come later: until then the answer is `churn_monitor_up 0`.

    Raises
    ------
    OSError
        If the port is taken.
    """
    with exporter(lambda: Store.open(settings.store_url), settings.exporter_port, settings.exporter_host):
        (stop or threading.Event()).wait()


@contextmanager
def exporter(open_store: Callable[[], Store], port: int, host: str = "127.0.0.1") -> Iterator[int]:
    """Answer Prometheus on `host` while the block runs; give the port (a free one, if asked for 0)."""
    collector, registry = MonitorCollector(open_store), CollectorRegistry(auto_describe=False)
    registry.register(collector)
    server, thread = start_http_server(port, addr=host, registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        collector.close()


@dataclass(frozen=True)
class _Counts:
    outcomes: int
    retrains: list[tuple[str, str, int, datetime]]


def _count(engine: sa.Engine) -> _Counts:
    reason = sa.func.coalesce(decisions.c.evidence["reason"].as_string(), "")
    query = (
        sa.select(reason, decisions.c.action, sa.func.count(), sa.func.max(decisions.c.decided_at))
        .where(decisions.c.kind == "retrain")
        .group_by(reason, decisions.c.action)
    )
    with engine.connect() as connection:
        total = int(connection.execute(sa.select(sa.func.count()).select_from(outcomes)).scalar_one())
        return _Counts(total, [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)])


def _looks(runs: list[MonitorRun]) -> Iterator[Metric]:
    """What the newest looks said: the newest at predictions, and the newest at outcomes."""
    seen = next((run for run in runs if run.rows > 0), None)
    labelled = next((run for run in runs if run.labelled_rows > 0), None)
    if runs:
        yield _gauge("churn_monitor_last_run_timestamp_seconds", "When the newest look was made.", runs[0].started_at.timestamp())
    alarm = GaugeMetricFamily(
        "churn_drift_alarm", "1 if the newest look at predictions (at outcomes: concept) alarms.", labels=["kind"]
    )
    if seen is not None:
        yield _gauge("churn_window_rows", "Predictions in the newest window.", seen.rows)
        drift = seen.verdict["drift"]
        yield from _drift(drift)
        alarm.add_metric(["covariate"], drift["covariate_alarm"])
        alarm.add_metric(["prediction"], drift["prediction_alarm"])
        # Looks of older versions did not ask.
        alarm.add_metric(["joint"], drift.get("joint_alarm", False))
    if labelled is not None:
        alarm.add_metric(["concept"], labelled.concept_alarm)
    realized = labelled.verdict["performance"]["window"] if labelled is not None else None
    yield from _performance(realized, seen.verdict["performance"].get("estimated") if seen is not None else None)
    yield alarm


def _drift(drift: dict[str, Any]) -> Iterator[Metric]:
    statistic = GaugeMetricFamily(
        "churn_drift_statistic",
        "How surprising the feature's window is: -log10 of the smallest of its p-values, adjusted for the whole look.",
        labels=["feature"],
    )
    threshold = GaugeMetricFamily(
        "churn_drift_threshold",
        "A churn_drift_statistic at or above it is drift: -log10 of the look's false-alarm rate.",
        labels=["feature"],
    )
    surprises: dict[str, float] = {}
    thresholds: dict[str, float] = {}
    for result in drift["results"]:
        name = result["feature"]
        surprises[name] = max(surprises.get(name, 0.0), surprise(result["p_value"]))
        thresholds[name] = surprise(result["threshold"])
    for name, value in surprises.items():
        statistic.add_metric([name], value)
        threshold.add_metric([name], thresholds[name])
    yield statistic
    yield threshold


def _performance(realized: dict[str, Any] | None, estimated: dict[str, Any] | None) -> Iterator[Metric]:
    """What came true in the newest judged outcomes, and what the model itself expects of the newest window."""
    for name, help_text, key in (
        (
            "churn_roc_auc",
            "ROC AUC of the newest judged outcomes, and as the model's own answers to the newest window have it.",
            "roc_auc",
        ),
        ("churn_brier_score", "Brier score of the newest judged outcomes, and as the model's own answers have it.", "brier"),
    ):
        family = GaugeMetricFamily(name, help_text, labels=["source"])
        for source, found in (("realized", realized), ("estimated", estimated)):
            if found is not None and found.get(key) is not None:
                family.add_metric([source], found[key])
        if family.samples:
            yield family


def _totals(counts: _Counts, runs: list[MonitorRun]) -> Iterator[Metric]:
    yield CounterMetricFamily("churn_outcomes", "Outcomes in the store.", value=counts.outcomes)
    retrains = CounterMetricFamily("churn_retrains", "Retrainings that ended, by why and how.", labels=["reason", "result"])
    for reason, result, count, _ in counts.retrains:
        retrains.add_metric([reason, result], count)
    yield retrains
    success = GaugeMetricFamily(
        "churn_flow_last_success_timestamp_seconds",
        "When a flow last did its work (monitor: had something to judge).",
        labels=["flow"],
    )
    if runs:
        success.add_metric(["monitor"], runs[0].started_at.timestamp())
    trained = [when for _, result, _, when in counts.retrains if result in COMPLETED]
    if trained:
        success.add_metric(["train"], max(trained).timestamp())
    yield success


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)
