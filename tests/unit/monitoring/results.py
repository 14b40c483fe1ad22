"""Results of monitoring runs, made by hand: what a test does not name is unremarkable."""

from __future__ import annotations

from typing import Any

from churn.store.records import DecisionAction
from monitoring.drift.results import DriftReport, DriftResult
from monitoring.performance.comparison import PerformanceComparison
from monitoring.performance.concept_drift import ConceptResult, ConceptTest
from monitoring.performance.cusum import CusumState, SequentialResult
from monitoring.performance.group_gaps import GroupGap, GroupRate, GroupReport
from monitoring.performance.metrics import Performance
from monitoring.run_result import RetrainDecision, RunResult
from monitoring.slice_quality import SliceQuality, SliceReport, SliceSince
from monitoring.window_summary import WindowSummary
from tests.unit.monitoring.fakes import NOW


def make_drift_result(feature: str = "minutes", **overrides: Any) -> DriftResult:
    values: dict[str, Any] = {
        "aspect": "values",
        "method": "rank scores (location)",
        "statistic": 0.2,
        "p_value": 0.00001,
        "threshold": 0.005,
        "drifted": True,
        "measure": "mean, minutes",
        "reference": 180.0,
        "current": 198.5,
        "shift": 18.5,
        "impact": 0.4,
    }
    return DriftResult(feature, **values | overrides)


def make_drift(*results: DriftResult) -> DriftReport:
    return DriftReport(0.005, min((r.p_value for r in results), default=1.0), 40, 200, 1500, results)


def make_concept(*, alarm: bool, p_value: float = 1e-4) -> ConceptResult:
    test = ConceptTest("calibration in the large", 0.1, 0.02, 5.0, p_value if alarm else 0.5, 0.0015, violated=alarm)
    return ConceptResult(0.003, 100, 1500, (test,))


def make_slice(column: str = "plan", level: str = "Yes", **overrides: Any) -> SliceQuality:
    values: dict[str, Any] = {
        "rows": 120,
        "customers": 110,
        "churn_rate": 0.31,
        "expected": 0.12,
        "log_loss": 0.7,
        "expected_log_loss": 0.3,
        "brier": 0.21,
        "reference_brier": 0.1,
        "question": "calibration in the large",
        "p_value": 1e-5,
        "alarm": True,
    }
    return SliceQuality(column=column, level=level, **values | overrides)


def make_slices(*judged: SliceQuality) -> SliceReport:
    return SliceReport(0.001, judged, tuple(SliceSince(one.column, one.level, 100, NOW) for one in judged))


def make_groups() -> GroupReport:
    rates = GroupRate("male", 1180, 310, 0.71), GroupRate("female", 720, 190, 0.42)
    return GroupReport(2000, 1900, (GroupGap("gender", "recall", 0.29, 0.001, rates),), ("age: not known of these customers",))


def make_stream(*, seen: int = 100, alarm: bool = False, change_point: int = 0) -> SequentialResult:
    return SequentialResult(
        alarm=alarm,
        statistic=9.0 if alarm else 1.0,
        threshold=8.0,
        kind="more leave than expected",
        seen=seen,
        change_point=change_point,
        alarmed_at=seen if alarm else None,
        false_alarm_rate=0.01,
        horizon=5_000,
        state=CusumState((0.0,), (seen,), seen),
        calibrated_threshold=8.0,
    )


def make_result(
    *,
    rows: int = 200,
    labelled_rows: int = 100,
    covariate_alarm: bool = False,
    concept_alarm: bool = False,
    brier: float | None = None,
    action: DecisionAction = DecisionAction.NONE,
    **overrides: Any,
) -> RunResult:
    """Make the result of a run; its reference has a Brier score of 0.1 where the window's is given."""
    values: dict[str, Any] = {
        "run_id": "r1",
        "started_at": NOW,
        "model_version": "1",
        "window": WindowSummary(rows=rows, labelled_rows=labelled_rows),
        "drift": make_drift(*([make_drift_result()] if covariate_alarm else [])),
        "concept": make_concept(alarm=concept_alarm) if labelled_rows else None,
        "policy": RetrainDecision(action, "all is well"),
    }
    if brier is not None:
        values["performance"] = PerformanceComparison(Performance(100, brier=brier), Performance(1500, brier=0.1))
    return RunResult(**values | overrides)
