"""What the newest looks said, for Prometheus: drift, and how good the answers are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import Metric

from churn.store.records import MonitorRun
from monitoring.drift.detect import surprise
from monitoring.exporter.metrics import exported

MEASURES = {
    "churn_roc_auc": "roc_auc",
    "churn_pr_auc": "pr_auc",
    "churn_brier_score": "brier",
    "churn_log_loss": "log_loss",
    "churn_rate": "churn_rate",
    "churn_calibration_in_the_large": "calibration_in_the_large",
    "churn_profit_per_customer": "profit",
}


def collect_runs(runs: list[MonitorRun], page_brier: float | None) -> Iterator[Metric]:
    """Tell of the newest look at predictions, and the newest at outcomes.

    Parameters
    ----------
    runs : list of MonitorRun
        Newest first.
    page_brier : float or None
        How much worse than the reference a Brier score must be for somebody to be woken; None: not told.
    """
    seen = next((run for run in runs if run.rows > 0), None)
    labelled = next((run for run in runs if run.labelled_rows > 0), None)
    alarms: dict[tuple[str, ...], float] = {}
    if seen is not None:
        drift = seen.verdict["drift"]
        yield exported("churn_window_rows", seen.rows)
        yield from _drift(drift["results"])
        # Looks of older versions did not ask for all of them.
        for kind in ("covariate", "prediction", "joint"):
            alarms[kind,] = float(drift.get(f"{kind}_alarm", False))
    if labelled is not None:
        yield exported("churn_window_labelled_rows", labelled.labelled_rows)
        alarms["concept",] = float(labelled.concept_alarm)
    yield exported("churn_drift_alarm", alarms)
    judged = labelled.verdict["performance"] if labelled is not None else {}
    known = {
        "realized": judged.get("window"),
        "reference": judged.get("reference"),
        "estimated": seen.verdict["performance"].get("estimated") if seen is not None else None,
    }
    yield from _performance({source: found for source, found in known.items() if found}, page_brier)


def _drift(results: list[dict[str, Any]]) -> Iterator[Metric]:
    surprises: dict[tuple[str, ...], float] = {}
    thresholds: dict[tuple[str, ...], float] = {}
    impacts: dict[tuple[str, ...], float] = {}
    for result in results:
        key = (result["feature"],)
        surprises[key] = max(surprises.get(key, 0.0), surprise(result["p_value"]))
        thresholds[key] = surprise(result["threshold"])
        if result.get("impact") is not None:
            impacts[key] = max(impacts.get(key, 0.0), result["impact"], key=abs)
    yield exported("churn_drift_statistic", surprises)
    yield exported("churn_drift_threshold", thresholds)
    if impacts:
        yield exported("churn_drift_impact", impacts)


def _performance(known: dict[str, dict[str, Any]], page_brier: float | None) -> Iterator[Metric]:
    for name, key in MEASURES.items():
        samples: dict[tuple[str, ...], float] = {
            (source,): found[key] for source, found in known.items() if found.get(key) is not None
        }
        if samples:
            yield exported(name, samples)
    usual = known.get("reference", {}).get("brier")
    if page_brier is not None and usual is not None:
        yield exported("churn_brier_page_limit", usual + page_brier)
