"""The page of all metrics, docs/metrics.md, made from the code: `python -m tools.metrics_page` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from churn.contract import load_contract
from monitoring.exporter.metrics import EXPORTED

PAGE = Path("docs/metrics.md")
HEAD = """# Metrics

Made from the code by `python -m tools.metrics_page`; a test fails if it is not the same. Timestamps are seconds since
1970. Labels have few values: routes are templates, methods and statuses those of HTTP, versions those in service since the
start, features the contract's. No label holds anything that a customer could be known by.

With several workers `GET /metrics` tells of all of them, whichever answers: counters and histograms add up, and a gauge says
how it is joined. Asked for OpenMetrics (Prometheus does), `churn_http_request_duration_seconds` carries exemplars: the
`request_id` (and `trace_id`) of slow requests, and of one other a second. They find the request in the log. With several
workers there are none, as prometheus_client does not share them.
"""


class Documented(NamedTuple):
    """One metric family as the page lists it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def service_metrics() -> list[Documented]:
    """List what the service exports."""
    from service.observability.metrics import ServiceMetrics

    registry = ServiceMetrics(load_contract("telecom")).registry
    found = []
    for collector in list(registry._collector_to_names):
        labels = tuple(getattr(collector, "_labelnames", ()))
        for family in collector.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found.append(Documented(name, family.type, labels, family.documentation))
    return sorted(found)


def monitor_metrics() -> list[Documented]:
    """List what the monitor's exporter exports."""
    return sorted(Documented(metric.name, metric.kind, metric.labels, metric.help) for metric in EXPORTED.values())


def render() -> str:
    """Write the page."""
    return "\n".join(
        [
            HEAD,
            "## Of the service, `GET /metrics`\n",
            *_table(service_metrics()),
            "\n## Of the monitor, `:8090/metrics`\n",
            "Read from the store at each scrape, so that a restart loses and doubles nothing.\n",
            *_table(monitor_metrics()),
            "",
        ]
    )


def _table(metrics: Iterable[Documented]) -> list[str]:
    rows = ["| metric | kind | labels | what it says |", "| --- | --- | --- | --- |"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |")
    return rows


if __name__ == "__main__":
    PAGE.write_text(render())
