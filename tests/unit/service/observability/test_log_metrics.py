"""Metrics of the prediction log: of several workers what is spooled adds up, and the oldest prediction counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from service.observability.log_metrics import LogMetrics


def test_each_gauge_says_how_several_workers_are_one() -> None:
    gauges = {name: one for name, one in vars(LogMetrics(CollectorRegistry())).items() if isinstance(one, Gauge)}
    assert {name: one._multiprocess_mode for name, one in gauges.items()} == {"spooled": "livesum", "lag": "livemax"}
