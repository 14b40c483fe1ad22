"""The loop, closed once by `churn demo`; then `churn up` goes on with the very system that the demo left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e import up
from tests.e2e.conftest import CHECKOUT, FOREIGN_SETTINGS, System

# The form of params.yaml with one candidate to try, and few bootstraps.
QUICK = """
model: {form: terms}
tuning: {folds: 2, grid: {features__trees: [50], features__strictness: [0.5], logreg__C: [1.0]}}
evaluation: {resamples: 100}
gate: {resamples: 500}
"""


def run_demo(home: Path, out: Path, *options: str, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not FOREIGN_SETTINGS.match(name)}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "demo", "--out", str(out), *options],
        cwd=CHECKOUT,
        env=environment | {"CHURN_HOME": str(home)} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # noqa: T201 - the closing table, for whoever reads the log with -s
    assert "the loop closed" in done.stdout
    assert (out / "windows.png").read_bytes().startswith(b"\x89PNG")
    assert b"<html" in (out / "last-monitoring-run.html").read_bytes()[:10_000].lower()
    return done.stdout


@pytest.fixture
def left_by_the_demo(tmp_path: Path) -> Iterator[System]:
    """What the demo left behind: a system with two versions, traffic, outcomes and decisions. It is not running."""
    home = tmp_path / "home"
    params = tmp_path / "params.yaml"
    params.write_text(QUICK)
    run_demo(home, tmp_path / "out", "--short", "--keep", CHURN_PARAMS=str(params))
    with System(home / "demo", data=home / "demo" / "data" / "before-the-launch.csv") as system:
        yield system


def test_the_loop_closes_on_real_customers_and_up_goes_on_with_what_it_left(left_by_the_demo: System) -> None:
    system = left_by_the_demo
    system.start()
    assert "version 2 is champion" in system.said()
    first = up.predict(system)
    assert first["model_version"] == "2"
    up.assert_an_outcome_is_taken_once(system, first["prediction_id"])
    up.assert_pages_are_there(system)
    up.assert_schedules_are_on(system)
    up.assert_a_second_up_is_refused(system)
    # The first run by the schedule is killed, and the second ends well: a run takes ten seconds of a processor.
    up.assert_a_killed_monitoring_run_is_not_waited_for(system)
    up.assert_status_says_that_all_is_well(system, version="2")
    assert system.stop(signal.SIGTERM) == 0
    assert system.processes() == []


@pytest.mark.long
def test_the_whole_demo_closes_the_loop(tmp_path: Path) -> None:
    said = run_demo(tmp_path / "home", tmp_path / "out")
    assert "ordinary 3: calm" in said
    assert list((tmp_path / "home").glob("demo")) == []


@pytest.mark.long
def test_one_command_brings_everything_up_and_a_restart_loses_nothing(system: System) -> None:
    system.start()
    first = up.predict(system)
    assert first["model_version"] == "1"
    up.assert_an_outcome_is_taken_once(system, first["prediction_id"])
    up.assert_pages_are_there(system)
    assert "churn_outcomes_total 1.0" in httpx2.get(system.url("/metrics", "exporter_port")).text
    up.assert_schedules_are_on(system)
    up.assert_monitoring_runs_by_itself(system)
    up.assert_status_says_that_all_is_well(system, version="1")
    assert system.stop(signal.SIGINT) == 0
    assert system.processes() == []

    system.start()
    assert "version 1 is champion" in system.said()
    up.assert_readme_shows_a_true_response(system)
    up.assert_an_outcome_is_taken_once(system, first["prediction_id"], duplicate=True)
    up.assert_a_killed_monitoring_run_is_not_waited_for(system)
    assert system.stop(signal.SIGTERM) == 0
    assert system.processes() == []
