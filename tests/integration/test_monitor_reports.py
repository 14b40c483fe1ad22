"""Evidently's workspace and pages. The only test file that imports evidently: its import takes seconds."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from monitoring.monitor import MonitoringRun, run_monitor
from monitoring.reports.evidently_report import ReportPaths, write_report
from monitoring.reports.evidently_workspace import PROJECT
from tests.unit.monitoring.fakes import CONTRACT, FakeStore, customers, logged, make_settings

REFERENCE = customers(1500, seed=1)


@pytest.fixture(autouse=True)
def _silent_at_home(monkeypatch):
    monkeypatch.setenv("DO_NOT_TRACK", "true")


def draw(
    home, frame: pd.DataFrame, *, labelled: bool = True, reference: pd.DataFrame = REFERENCE, **cursor
) -> tuple[MonitoringRun, ReportPaths]:
    settings = make_settings(home, label_maturity_seconds=0)  # also outcomes of one kind only are judged
    log = logged(frame, labelled=labelled)
    run = run_monitor(FakeStore(log), CONTRACT, settings, "1", reference)
    return run, write_report(run, reference, CONTRACT, settings)


def snapshots(home) -> dict[str, dict]:
    """Read the workspace as `evidently ui` does: by what is on disk."""
    from evidently.ui.workspace import Workspace

    workspace = Workspace.create(str(home / "evidently"))
    (project,) = workspace.search_project(PROJECT)
    runs = [workspace.get_run(project.id, run) for run in workspace.list_runs(project.id)]
    return {f"{run.name} {run.metadata['run_id']}": json.loads(run.json()) for run in runs}


def values(snapshot: dict, metric: str) -> dict[str | None, float]:
    """Give what a kind of metric came to, by column."""
    found = {}
    for result in snapshot["metric_results"].values():
        params = result["metric_value_location"]["metric"]["params"]
        if params["type"].endswith(f":{metric}"):
            found[params.get("column")] = result.get("value", result.get("count", {}).get("value"))
    return found


def thresholds(snapshot: dict) -> set[float]:
    """Give every threshold that any metric was drawn with."""
    params = [result["metric_value_location"]["metric"]["params"] for result in snapshot["metric_results"].values()]
    return {
        part[name] for part in params for name in ("threshold", "num_threshold", "cat_threshold") if part.get(name) is not None
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::FutureWarning")
class TestWorkspace:
    def test_pages_and_snapshots_are_written_and_read_again(self, tmp_path):
        first, paths = draw(tmp_path, customers(200, seed=2, plan_share=0.3))
        assert paths.html == tmp_path / "reports" / f"{first.result.run_id}-drift.html"
        assert paths.performance_html is not None
        assert all("<html" in path.read_text() for path in (paths.html, paths.performance_html))
        second, _ = draw(tmp_path, customers(200, seed=3))

        kept = snapshots(tmp_path)
        assert set(kept) == {f"{what} {run.result.run_id}" for what in ("drift", "performance") for run in (first, second)}
        said = kept[f"drift {first.result.run_id}"]["metadata"]
        assert (said["action"], said["reason"]) == (first.decision.action, first.decision.reason)
        assert (said["rows"], said["drawn_rows"]) == ("200", "200")

    def test_picture_and_decision_say_the_same(self, tmp_path):
        frame = customers(200, seed=2, plan_share=0.3, minutes=210.0)
        frame.loc[:20, "calls"] = np.nan
        run, _ = draw(tmp_path, frame)
        snapshot = snapshots(tmp_path)[f"drift {run.result.run_id}"]
        assert run.result.drift is not None
        decided = {r.feature: r.p_value for r in run.result.drift.results if r.aspect != "missing"}
        assert thresholds(snapshot) == {run.result.drift.alpha}
        assert values(snapshot, "ValueDrift") == pytest.approx(decided)
        drifted = [r for r in run.result.drift.drifted if r.aspect != "missing"]
        assert len(drifted) == 3
        assert values(snapshot, "DriftedColumnsCount") == {None: len(drifted)}
        assert values(snapshot, "MissingValueCount") == {"calls": 21}

    def test_columns_that_cannot_be_compared_are_left_out_and_named(self, tmp_path):
        frame, reference = customers(200, seed=2), REFERENCE.copy()
        frame["state"] = None
        frame["minutes"] = np.nan
        frame["calls"] = reference["calls"] = 3.0
        _, paths = draw(tmp_path, frame, reference=reference)
        assert set(paths.left_out) == {"state", "minutes", "calls", "plan"}

    def test_when_nothing_can_be_compared_there_is_a_page_all_the_same(self, tmp_path):
        frame, reference = customers(200, seed=2), REFERENCE.copy()
        for part in (frame, reference):
            part["minutes"], part["calls"], part["plan"], part["state"], part["churn_probability"] = np.nan, 1.0, 0.0, None, 0.2
        _, paths = draw(tmp_path, frame, labelled=False, reference=reference)
        assert paths.html.exists()
        assert "churn_probability" in paths.left_out

    def test_outcomes_of_one_kind_have_no_curve(self, tmp_path):
        frame = customers(40, seed=2)
        frame["churned"] = 0.0
        run, paths = draw(tmp_path, frame)
        assert run.result.drift is None
        assert paths.html == paths.performance_html
        assert paths.html.exists()
        assert paths.left_out == {"churned": "outcomes of one kind only"}

    def test_a_run_that_judged_nothing_has_no_picture(self, tmp_path):
        run, paths = draw(tmp_path, customers(40, seed=2), labelled=False)
        assert (run.result.drift, run.result.performance.realized) == (None, None)
        assert (paths.html, paths.performance_html) == (None, None)
        assert list(tmp_path.glob("reports/*-*.html")) == []

    def test_a_large_window_is_drawn_from_a_sample_and_says_so(self, tmp_path, monkeypatch):
        monkeypatch.setattr("monitoring.reports.evidently_drawing.SAMPLE_ROWS", 100)
        run, _ = draw(tmp_path, customers(200, seed=2), labelled=False)
        snapshot = snapshots(tmp_path)[f"drift {run.result.run_id}"]
        assert (snapshot["metadata"]["rows"], snapshot["metadata"]["drawn_rows"]) == ("200", "100")
        assert "sample" in snapshot["tags"]
        assert values(snapshot, "RowCount") == {None: 100}

    def test_the_dashboard_is_made_once(self, tmp_path):
        from evidently.ui.workspace import Workspace

        for seed in (2, 3):
            draw(tmp_path, customers(60, seed=seed), labelled=False)
        (project,) = Workspace.create(str(tmp_path / "evidently")).search_project(PROJECT)
        titles = [panel.title for panel in project.dashboard.model().panels]
        assert len(titles) == len(set(titles)) == 5
