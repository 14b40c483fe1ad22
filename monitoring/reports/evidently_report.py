"""The pictures of a monitoring run, for people: a workspace that `evidently ui` shows, and pages. The only file importing evidently.

Pictures decide nothing, and cannot contradict what was decided: the p-values and thresholds that Evidently shows are those of
the run, made of all rows, though what is drawn is a bounded sample, which the page states. It drops missing values: missingness that
drifted is drawn as a count of its own. Columns that cannot be compared (constant, or empty on one side) would stop Evidently:
they are left out, and named.

Evidently phones home unless DO_NOT_TRACK is in the environment *before* it is imported: entry points set it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning

from churn.atomic_write import atomic_write
from churn.config.settings import Settings
from churn.contract import Contract
from monitoring.drift.columns import PROBABILITY, as_served
from monitoring.drift.results import DriftReport
from monitoring.monitor import MonitoringRun, report_path

PROJECT = "churn"
# Evidently needs 10 s for 100,000 rows; a picture of 5,000 looks the same.
SAMPLE_ROWS = 5_000
NUMBERS, LEVELS = "churn_numbers", "churn_levels"


@dataclass(frozen=True)
class ReportPaths:
    """Where a run's report is.

    Attributes
    ----------
    html : Path
        The page: drift if new predictions were judged, else performance.
    performance_html : Path or None
        The page of performance, if outcomes were judged; the same as `html` if only they were.
    workspace : Path
        For `evidently ui --workspace`.
    left_out : dict
        What is not in the picture, and why.
    """

    html: Path
    performance_html: Path | None
    workspace: Path
    left_out: dict[str, str] = field(default_factory=dict)


def write_report(run: MonitoringRun, reference: pd.DataFrame, contract: Contract, settings: Settings) -> ReportPaths:
    """Draw a run that judged something: one snapshot of drift, one of performance, each in the workspace and as a page.

    Parameters
    ----------
    run : MonitoringRun
        With a window that is not empty.
    reference : pandas.DataFrame
        Rows of the one that the run compared with.

    Returns
    -------
    ReportPaths
        Pages are in `settings.home`/reports, named by the run; of 5 MB each. A page is whole or not there.
    """
    workspace = settings.home / "evidently"
    summary = report_path(settings, run.result.run_id)
    page = summary.with_name(f"{run.result.run_id}-drift.html")
    page.parent.mkdir(parents=True, exist_ok=True)
    left_out: dict[str, str] = {}
    drawn: list[tuple[Path, Any]] = []
    with _quiet():
        if run.result.drift is not None:
            drawn.append((page, _draw_drift(run, run.result.drift, reference, contract, settings, left_out)))
        if run.result.performance.realized is not None:
            path = page.with_name(f"{run.result.run_id}-performance.html")
            page = page if drawn else path
            drawn.append((path, _draw_performance(run, reference, settings, left_out)))
        _keep(workspace, [snapshot for _, snapshot in drawn])
        for path, snapshot in drawn:
            _save_page(snapshot, path)
    return ReportPaths(page, drawn[-1][0] if run.result.performance.realized is not None else None, workspace, left_out)


def _draw_drift(
    run: MonitoringRun,
    drift: DriftReport,
    reference: pd.DataFrame,
    contract: Contract,
    settings: Settings,
    left_out: dict[str, str],
) -> Any:
    report, frames = _drift_report(drift, run.window.current, as_served(reference), contract, settings, left_out)
    return report.run(*frames, timestamp=run.result.started_at, name="drift", **_metadata(run, "drift", left_out))


def _drift_report(
    drift: DriftReport,
    current: pd.DataFrame,
    reference: pd.DataFrame,
    contract: Contract,
    settings: Settings,
    left_out: dict[str, str],
) -> tuple[Any, list[Any]]:
    """Give the report and its two sides, current first."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DatasetMissingValueCount, DriftedColumnsCount, MissingValueCount, RowCount, ValueDrift

    p_values = _by_column(drift)
    _register_tests(p_values)
    parts = [_sample(part, settings) for part in (current, reference)]
    compared = {result.feature: result.method for result in drift.results if result.aspect in ("values", "prediction")}
    # Where values are few, the sample may have none of them.
    drawn = [name for name, method in compared.items() if method != "none" and all(part[name].notna().any() for part in parts)]
    left_out.update({name: "constant or empty" for name in compared if name not in drawn})
    absent = [result.feature for result in drift.drifted if result.aspect == "missing"]
    numbers = [name for name in drawn if name == PROBABILITY or contract[name].kind in ("number", "integer")]
    others = [name for name in dict.fromkeys(drawn + absent) if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    metrics: list[Any] = [RowCount(), DatasetMissingValueCount()]
    if drawn:
        metrics.append(
            DriftedColumnsCount(
                columns=drawn,
                num_method=NUMBERS,
                cat_method=LEVELS,
                num_threshold=drift.alpha,
                cat_threshold=drift.alpha,
                drift_share=1 / len(drawn),
            )
        )
    metrics += [ValueDrift(column=name, method=NUMBERS if name in numbers else LEVELS, threshold=drift.alpha) for name in drawn]
    metrics += [MissingValueCount(column=name) for name in absent]
    frames = [Dataset.from_pandas(_spelled(part, drawn + absent, contract), data_definition=definition) for part in parts]
    return Report(metrics, include_tests=True), frames


def _by_column(drift: DriftReport) -> dict[str, float]:
    """Give the p-value that decided about each column: the smallest of its own, and of the pairs that it is in."""
    p_values: dict[str, float] = {}
    for result in drift.results:
        if result.aspect != "missing":
            for name in (result.feature, result.other):
                if name is not None:
                    p_values[name] = min(p_values.get(name, 1.0), result.p_value)
    return p_values


def write_comparison(
    path: Path, reference: pd.DataFrame, current: pd.DataFrame, drift: DriftReport, contract: Contract, settings: Settings
) -> None:
    """Draw a comparison of two files as a page, 5 MB of it; it is whole or not there."""
    left_out: dict[str, str] = {}
    with _quiet():
        known = [name for name in contract.feature_names if name in reference and name in current]
        report, frames = _drift_report(drift, current[known], reference[known], contract, settings, left_out)
        path.parent.mkdir(parents=True, exist_ok=True)
        _save_page(report.run(*frames, name="drift"), path)


def _draw_performance(run: MonitoringRun, reference: pd.DataFrame, settings: Settings, left_out: dict[str, str]) -> Any:
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.metrics import LogLoss, RocAuc, RowCount

    parts = [_sample(part[["churned", PROBABILITY]], settings) for part in (run.window.labelled, reference)]
    drawable = all(part["churned"].nunique() == 2 for part in parts)
    if not drawable:
        left_out["churned"] = "outcomes of one kind only"
    task = BinaryClassification(target="churned", prediction_probas=PROBABILITY, pos_label=1)
    definition = DataDefinition(
        numerical_columns=[PROBABILITY], categorical_columns=["churned"], classification=[task] if drawable else None
    )
    frames = [Dataset.from_pandas(part.astype({"churned": int}), data_definition=definition) for part in parts]
    report = Report([RowCount(), RocAuc(), LogLoss()] if drawable else [RowCount()], include_tests=False)
    return report.run(*frames, timestamp=run.result.started_at, name="performance", **_metadata(run, "performance", left_out))


def _register_tests(p_values: Mapping[str, float]) -> None:
    """Make the run's p-values known to Evidently as tests with names: its metrics take no functions.

    Each run replaces those of the run before: Evidently asks only while it runs.
    """
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    def decided(reference: pd.Series, current: pd.Series, _type: Any, threshold: float) -> tuple[float, bool]:
        p_value = p_values.get(str(current.name), 1.0)
        return p_value, p_value <= threshold

    def decided_levels(reference: pd.Series, current: pd.Series, _type: Any, threshold: float) -> tuple[float, bool]:
        return decided(reference, current, _type, threshold)

    register_stattest(StatTest(NUMBERS, "calibrated rank scores, p-value of the run", [ColumnType.Numerical]), decided)
    register_stattest(StatTest(LEVELS, "exact test of shares, p-value of the run", [ColumnType.Categorical]), decided_levels)


def _spelled(frame: pd.DataFrame, names: list[str], contract: Contract) -> pd.DataFrame:
    """The drawn columns, with flags in words."""
    spelled = frame[list(dict.fromkeys(names))].copy()
    for name in spelled:
        if name != PROBABILITY and contract[str(name)].kind == "flag":
            column = contract[str(name)]
            spelled[name] = spelled[name].map({1.0: column.true_level, 0.0: column.false_level}).astype(object)
    return spelled


def _sample(frame: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    drawn = frame.sample(SAMPLE_ROWS, random_state=settings.seed) if len(frame) > SAMPLE_ROWS else frame
    return drawn.reset_index(drop=True)


def _metadata(run: MonitoringRun, what: str, left_out: dict[str, str]) -> dict[str, Any]:
    result = run.result
    rows = {"drift": result.rows, "performance": result.labelled_rows}[what]
    return {
        "tags": [what, f"model {result.model_version}", *(["sample"] if rows > SAMPLE_ROWS else [])],
        "metadata": {
            "run_id": result.run_id,
            "model_version": result.model_version,
            "rows": str(rows),
            "drawn_rows": str(min(rows, SAMPLE_ROWS)),
            "covariate_alarm": str(result.covariate_alarm),
            "concept_alarm": str(result.concept_alarm),
            "action": run.decision.action,
            "reason": run.decision.reason,
            "left_out": ", ".join(sorted(left_out)) or "nothing",
        },
    }


def _keep(workspace: Path, snapshots: list[Any]) -> None:
    from evidently.ui.workspace import Workspace

    workspace.mkdir(parents=True, exist_ok=True)
    opened = Workspace.create(str(workspace))
    found = [project for project in opened.search_project(PROJECT) if project.name == PROJECT]
    project = found[0] if found else opened.create_project(PROJECT, description="What the monitor saw, run by run.")
    if not project.dashboard.model().panels:
        _add_panels(project)
    for snapshot in snapshots:
        opened.add_run(project.id, snapshot, include_data=False)


def _add_panels(project: Any) -> None:
    from evidently.sdk.models import PanelMetric
    from evidently.sdk.panels import line_plot_panel

    for title, metric, labels in (
        ("Share of drifted columns", "DriftedColumnsCount", {"value_type": "share"}),
        ("Drift of the predicted probability: p-value", "ValueDrift", {"column": PROBABILITY}),
        ("Share of missing values", "DatasetMissingValueCount", {"value_type": "share"}),
        ("ROC AUC on what came true", "RocAuc", {}),
        ("Log loss on what came true", "LogLoss", {}),
    ):
        values = [PanelMetric(legend=title, metric=metric, metric_labels=labels)]
        project.dashboard.add_panel(line_plot_panel(title=title, values=values, size="half"), tab="Monitor")


def _save_page(snapshot: Any, path: Path) -> None:
    with atomic_write(path) as staging:
        snapshot.save_html(str(staging))


@contextmanager
def _quiet() -> Iterator[None]:
    """Evidently warns of its libraries' old ways, of constants, and of a precision that we don't draw: nothing to mend here."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, RuntimeWarning, UndefinedMetricWarning):
            warnings.simplefilter("ignore", category)
        yield
