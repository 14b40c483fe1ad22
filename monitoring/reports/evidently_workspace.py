"""Evidently's workspace, which `evidently ui` shows, and its pages.

Evidently phones home unless DO_NOT_TRACK is in the environment *before* it is imported: entry points set it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.exceptions import UndefinedMetricWarning

from churn.atomic_write import atomic_write
from churn.config.ui_links import EVIDENTLY_PROJECT
from monitoring.drift.columns import PROBABILITY

PROJECT = "churn"


def add_snapshots(workspace: Path, snapshots: list[Any]) -> None:
    """Add snapshots to the workspace; it is made, with its dashboard, if it is not there.

    Parameters
    ----------
    workspace : Path
        A folder.
    snapshots : list
        Of Evidently; their data is left out.
    """
    from evidently.ui.workspace import ProjectModel, Workspace

    workspace.mkdir(parents=True, exist_ok=True)
    opened = Workspace.create(str(workspace))
    described = ProjectModel(id=EVIDENTLY_PROJECT, name=PROJECT, description="What the monitor found, run by run.")
    project = opened.get_project(EVIDENTLY_PROJECT) or opened.add_project(described)
    if not project.dashboard.model().panels:
        _add_panels(project)
    for snapshot in snapshots:
        opened.add_run(project.id, snapshot, include_data=False)


def save_page(snapshot: Any, path: Path) -> None:
    """Save a snapshot as a page of 5 MB; it is whole or not there.

    Parameters
    ----------
    snapshot : evidently.core.report.Snapshot
        What to show.
    path : Path
        An HTML file.
    """
    with atomic_write(path) as staging:
        snapshot.save_html(str(staging))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Evidently's warnings of deprecations in its libraries, of constants, and of a precision that is not drawn."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, RuntimeWarning, UndefinedMetricWarning):
            warnings.simplefilter("ignore", category)
        yield


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
