"""Metrics of the prediction log: what is in the store, what waits in the spool, and what neither can keep."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class LogMetrics:
    """The metrics of the prediction log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.written = Counter("churn_log_written_total", "Predictions committed to the store.", registry=registry)
        self.spooled = Gauge(
            "churn_log_spooled",
            "Predictions in the spool, which wait for the store.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.replayed = Counter(
            "churn_log_replayed_total", "Predictions that were replayed from the spool to the store.", registry=registry
        )
        self.damaged = Counter(
            "churn_log_damaged_bytes_total",
            "Bytes of the spool that were cut short or damaged, and are set aside for people to look at.",
            registry=registry,
        )
        self.refused = Counter(
            "churn_log_refused_total",
            "Predictions that the store never accepts, and that are set aside for people to look at.",
            registry=registry,
        )
        self.lag = Gauge(
            "churn_log_lag_seconds",
            "Age of the oldest prediction that is not in the store.",
            registry=registry,
            multiprocess_mode="livemax",
        )
