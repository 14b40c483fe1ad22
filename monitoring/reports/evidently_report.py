"""Evidently's report of a monitoring run, or of a comparison of two files: a workspace that `evidently ui` shows, and pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from churn.config.settings import Settings
from churn.contract import Contract
from monitoring.drift.columns import as_served
from monitoring.drift.results import DriftReport
from monitoring.monitor import MonitoringRun, report_path
from monitoring.reports.evidently_drawing import Drawing, draw_drift, draw_performance
from monitoring.reports.evidently_workspace import add_snapshots, quiet, save_page


@dataclass(frozen=True)
class ReportPaths:
    """Where a run's report is.

    Attributes
    ----------
    html : Path or None
        The page: drift if new predictions were judged, else performance; None if neither was, and there is nothing to draw.
    performance_html : Path or None
        The page of performance, if outcomes were judged; the same as `html` if only they were.
    workspace : Path
        For `evidently ui --workspace`.
    left_out : dict
        What is not in the picture, and why.
    """

    html: Path | None
    performance_html: Path | None
    workspace: Path
    left_out: dict[str, str] = field(default_factory=dict)


def write_report(run: MonitoringRun, reference: pd.DataFrame, contract: Contract, settings: Settings) -> ReportPaths:
    """Draw what a run judged: one snapshot of drift, one of performance, each in the workspace and as a page.

    Parameters
    ----------
    run : MonitoringRun
    reference : pandas.DataFrame
        Rows of the one that the run compared with.
    contract : Contract
        The description of a customer.
    settings : Settings
        Of them CHURN_HOME and the seed.

    Returns
    -------
    ReportPaths
        Pages are in `settings.home`/reports, named by the run; of 5 MB each. A page is whole or not there.
    """
    result, workspace = run.result, settings.home / "evidently"
    summary = report_path(settings, result.run_id)
    if result.drift is None and result.performance.realized is None:
        return ReportPaths(None, None, workspace)
    summary.parent.mkdir(parents=True, exist_ok=True)
    drawings: list[Drawing] = []
    with quiet():
        if result.drift is not None:
            drawings.append(draw_drift(result.drift, run.window.customers, as_served(reference), contract, seed=settings.seed))
        if result.performance.realized is not None:
            drawings.append(draw_performance(run.window.labelled, reference, seed=settings.seed))
        pages = {drawing.name: summary.with_name(f"{result.run_id}-{drawing.name}.html") for drawing in drawings}
        snapshots = [drawing.compute_for(result) for drawing in drawings]
        add_snapshots(workspace, snapshots)
        for path, snapshot in zip(pages.values(), snapshots, strict=True):
            save_page(snapshot, path)
    left_out = {name: reason for drawing in drawings for name, reason in drawing.left_out.items()}
    return ReportPaths(next(iter(pages.values())), pages.get("performance"), workspace, left_out)


def write_comparison(
    path: Path, reference: pd.DataFrame, current: pd.DataFrame, drift: DriftReport, contract: Contract, settings: Settings
) -> None:
    """Draw a comparison of two files as a page.

    Parameters
    ----------
    path : Path
        An HTML file of 5 MB; it is whole or not there.
    reference, current : pandas.DataFrame
        The contract's features, as in `churn.customers.frame`.
    drift : DriftReport
        What was found.
    contract : Contract
        The description of a customer.
    settings : Settings
        Of them the seed.
    """
    with quiet():
        known = [name for name in contract.feature_names if name in reference and name in current]
        drawing = draw_drift(drift, current[known], reference[known], contract, seed=settings.seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_page(drawing.compute(), path)
