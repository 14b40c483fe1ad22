"""The loop, closed once in the system that `churn up` brought up; the long form: `churn demo`, and `up` on what it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from churn.contract import Contract
from churn.data.dataset import read_dataset
from churn.store.store import Store
from churn.store.tables import outcomes
from pipelines.demo.customers import deal_out, shorten
from tests.checkout import CHECKOUT, FOREIGN_SETTINGS
from tests.e2e import up
from tests.e2e.conftest import System
from tests.prefect_template import copy_to_home
from tools.loopback_http import http

# The form of params.yaml with one candidate to try, and few bootstraps.
QUICK = """
model: {form: terms}
tuning: {folds: 2, grid: {features__trees: [50], features__strictness: [0.5], logreg__C: [1.0]}}
evaluation: {resamples: 100}
gate: {resamples: 500}
"""
A_DAY = 86_400


# Prefect's own client warns of its own ways.
@pytest.mark.filterwarnings("default")
def test_the_loop_closes_on_real_customers_in_what_one_command_brought_up(
    tmp_path: Path, real_data: Path, contract: Contract, prefect_template: Path
) -> None:
    from churn.simulation.simulate import write_csv
    from pipelines.demo.demo import AT_ONCE

    people = shorten(deal_out(read_dataset(real_data, contract), seed=17))
    training, params = tmp_path / "before-the-launch.csv", tmp_path / "params.yaml"
    write_csv(people.training, contract, training)
    params.write_text(QUICK)
    demo = {"min_window_rows": 100, "cooldown_seconds": 0, "registry_poll_seconds": 0.5, "monitor_interval_seconds": A_DAY}
    copy_to_home(prefect_template, tmp_path / "home" / "prefect")
    with System(tmp_path / "home", data=training, params=params, **demo, **AT_ONCE) as system:
        system.start()
        assert "version 1 trained" in system.said()
        up.assert_schedules_are_on(system, monitor_seconds=A_DAY)
        up.close_the_loop(system, people, contract)
        first = up.predict(system)
        assert first["model_version"] == "2"
        up.assert_an_outcome_is_taken_once(system, first["prediction_id"])
        up.assert_pages_are_there(system)
        up.assert_status_says_that_all_is_well(system, version="2")
        assert system.stop(signal.SIGTERM) == 0
        assert system.processes() == []


@pytest.mark.long
def test_the_demo_closes_the_loop_and_up_goes_on_with_what_it_left(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    environment = {name: value for name, value in os.environ.items() if not FOREIGN_SETTINGS.match(name)}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli.main", "demo", "--out", str(out), "--keep"],
        cwd=CHECKOUT,
        env=environment | {"CHURN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # noqa: T201 - the closing table, for whoever reads the log with -s
    assert "ordinary 3: calm" in done.stdout
    assert "the loop closed" in done.stdout
    assert (out / "windows.png").read_bytes().startswith(b"\x89PNG")
    assert b"<html" in (out / "last-monitoring-run.html").read_bytes()[:10_000].lower()
    goes_on_with_what_was_there(home / "demo")


def goes_on_with_what_was_there(home: Path) -> None:
    """Start the whole system on what was left there: nothing of it is lost, and everything runs by itself."""
    known, answered = left_in_store(home / "store.db")
    with System(home, data=home / "data" / "before-the-launch.csv") as system:
        system.start()
        first = up.predict(system)
        assert f"version {first['model_version']} is champion" in system.said()
        assert int(first["model_version"]) >= 2
        up.assert_an_outcome_is_taken_once(system, answered, duplicate=True)
        up.assert_an_outcome_is_taken_once(system, first["prediction_id"])
        assert f"churn_outcomes_total {known + 1}.0" in http.get(system.url("/metrics", "exporter_port")).text
        up.assert_pages_are_there(system)
        up.assert_schedules_are_on(system)
        up.assert_status_says_that_all_is_well(system, version=first["model_version"])
        up.assert_a_second_up_is_refused(system)
        up.assert_a_killed_monitoring_run_is_not_waited_for(system)
        assert system.stop(signal.SIGINT) == 0
        assert system.processes() == []


def left_in_store(file: Path) -> tuple[int, str]:
    """Return how many outcomes there are, and a prediction that came true."""
    with closing(Store.open(f"sqlite:///{file}")) as store, store.engine.connect() as connection:
        came_true = sa.select(outcomes.c.prediction_id).where(outcomes.c.churned).limit(1)
        return store.count_outcomes(), connection.execute(came_true).scalar_one()
