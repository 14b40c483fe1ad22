"""The newest monitoring runs as metrics: drift, and how good the answers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import Metric

from churn.store.records import MonitorRun
from churn.store.store import Store
from monitoring.drift.results import DriftReport, DriftResult, surprise
from monitoring.exporter.metrics import exported
from monitoring.performance.estimation import Estimate
from monitoring.performance.group_gaps import GroupGap
from monitoring.performance.metrics import Performance
from monitoring.run_result import RunResult
from monitoring.slice_quality import SliceReport

MEASURES = {
    "churn_roc_auc": "roc_auc",
    "churn_pr_auc": "pr_auc",
    "churn_brier_score": "brier",
    "churn_log_loss": "log_loss",
    "churn_rate": "churn_rate",
    "churn_calibration_in_the_large": "calibration_in_the_large",
    "churn_profit_per_customer": "profit",
}

# Five series each. Slices are some dozens, unless a contract has many columns with many levels.
MAX_SLICES = 40


def collect_runs(store: Store, page_brier: float | None) -> Iterator[Metric]:
    """Yield the metrics of the newest run with predictions, and of the newest with outcomes, however long ago they were.

    Of the newest run of all: whether it had to leave outcomes out.

    Parameters
    ----------
    store : Store
        An open store.
    page_brier : float or None
        How much worse than the reference a Brier score must be for somebody to be paged; None: the limit is not exported.

    Yields
    ------
    Metric
        A family without samples is left out, but for the alarms.

    Raises
    ------
    StoreError
        If the store is away, or a record cannot be read.
    """
    with_rows = _newest(store.monitor_runs(judged="predictions", limit=1))
    labelled = _newest(store.monitor_runs(judged="outcomes", limit=1))
    if with_rows is not None and with_rows.drift is not None:
        yield from _predictions(with_rows, with_rows.drift)
    if labelled is not None:
        yield from _outcomes(labelled)
    if (newest := _newest(store.monitor_runs(limit=1))) is not None:
        yield exported("churn_window_leavers_only", int(newest.window.leavers_only))
    yield exported("churn_drift_alarm", {(kind,): float(alarm) for kind, alarm in _alarms(with_rows, labelled).items()})
    known: dict[str, Performance | Estimate | None] = {
        "realized": labelled.performance.realized if labelled is not None else None,
        "reference": labelled.performance.reference if labelled is not None else None,
        "estimated": with_rows.performance.estimated if with_rows is not None else None,
    }
    yield from _performance({source: found for source, found in known.items() if found is not None})
    usual = labelled.performance.reference if labelled is not None else None
    if page_brier is not None and usual is not None and usual.brier is not None:
        yield exported("churn_brier_page_limit", usual.brier + page_brier)


def _newest(records: Sequence[MonitorRun]) -> RunResult | None:
    return RunResult.from_record(records[0]) if records else None


def _alarms(with_rows: RunResult | None, labelled: RunResult | None) -> dict[str, bool]:
    """Return whether each kind of alarm was raised; a kind that no run has judged is left out."""
    alarms: dict[str, bool] = {}
    if with_rows is not None and (drift := with_rows.drift) is not None:
        alarms |= {"covariate": drift.covariate_alarm, "prediction": drift.prediction_alarm, "joint": drift.joint_alarm}
        for kind, found in (("moved", with_rows.moved), ("newcomers", with_rows.newcomers)):
            if found is not None:
                alarms[kind] = found.covariate_alarm or found.prediction_alarm
    if labelled is not None:
        alarms["concept"] = labelled.concept_alarm
    return alarms


def _predictions(run: RunResult, drift: DriftReport) -> Iterator[Metric]:
    yield exported("churn_window_rows", run.rows)
    if run.segments:
        yield exported("churn_window_segment_share", {(name,): share for name, share in run.segments.items()})
    yield from _drift(drift.results)
    yield exported("churn_drift_said_before", len({result.feature for result in drift.known}))
    yield exported("churn_window_returning_customers", run.moved.rows if run.moved is not None else 0)
    if run.moved is not None:
        yield from _moves(run.moved.results)


def _outcomes(run: RunResult) -> Iterator[Metric]:
    effective = run.window.effective_rows
    yield exported("churn_window_labelled_rows", run.labelled_rows)
    yield exported("churn_window_effective_rows", run.labelled_rows if effective is None else effective)
    yield exported("churn_window_aside_rows", run.window.aside_rows)
    yield exported("churn_window_blind", int(run.window.blind))
    if run.slices is not None:
        yield from _slices(run.slices)
    if run.groups is not None and run.groups.gaps:
        yield from _groups(run.groups.gaps)


def _drift(results: Sequence[DriftResult]) -> Iterator[Metric]:
    surprises: dict[tuple[str, ...], float] = {}
    thresholds: dict[tuple[str, ...], float] = {}
    impacts: dict[tuple[str, ...], float] = {}
    for result in results:
        key = (result.feature,)
        surprises[key] = max(surprises.get(key, 0.0), surprise(result.p_value))
        thresholds[key] = surprise(result.threshold)
        if result.impact is not None:
            impacts[key] = max(impacts.get(key, 0.0), result.impact, key=abs)
    yield exported("churn_drift_statistic", surprises)
    yield exported("churn_drift_threshold", thresholds)
    if impacts:
        yield exported("churn_drift_impact", impacts)


def _moves(results: Sequence[DriftResult]) -> Iterator[Metric]:
    surprises: dict[tuple[str, ...], float] = {}
    for result in results:
        surprises[result.feature,] = max(surprises.get((result.feature,), 0.0), surprise(result.p_value))
    if surprises:
        yield exported("churn_moved_statistic", surprises)
        yield exported("churn_moved_threshold", surprise(results[0].threshold))


def _slices(report: SliceReport) -> Iterator[Metric]:
    judged = sorted(report.judged, key=lambda one: one.p_value)[:MAX_SLICES]
    named = {(f"{one.column}: {one.level}",): one for one in judged}
    yield exported("churn_slice_alarm", {name: float(one.alarm) for name, one in named.items()})
    yield exported("churn_slice_rate", {name: one.churn_rate for name, one in named.items()})
    yield exported("churn_slice_expected_rate", {name: one.expected for name, one in named.items()})
    yield exported("churn_slice_brier_score", {name: one.brier for name, one in named.items()})
    yield exported("churn_slice_rows", {name: float(one.rows) for name, one in named.items()})


def _groups(gaps: Sequence[GroupGap]) -> Iterator[Metric]:
    yield exported("churn_group_gap", {(one.column, one.measure): one.gap for one in gaps})
    yield exported("churn_group_gap_p_value", {(one.column, one.measure): one.p_value for one in gaps})
    rates: dict[tuple[str, ...], float] = {}
    for one in gaps:
        rates |= {(f"{one.column}: {part.group}", one.measure): part.rate for part in one.rates[:MAX_SLICES]}
    yield exported("churn_group_rate", rates)


def _performance(known: Mapping[str, Performance | Estimate]) -> Iterator[Metric]:
    for name, measure in MEASURES.items():
        # An estimate has fewer measures than a measurement.
        values = {(source,): getattr(found, measure, None) for source, found in known.items()}
        samples: dict[tuple[str, ...], float] = {source: value for source, value in values.items() if value is not None}
        if samples:
            yield exported(name, samples)
