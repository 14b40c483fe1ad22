"""The scoring flow: what it scores, for which day, and that the same file again changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.csv
import pytest

from churn.config.settings import load_settings
from churn.errors import InputError
from churn.store.store import Store
from pipelines.deployment_names import MONITOR, SCORE, TRAIN
from pipelines.flows import score as module
from pipelines.flows.deployments import make_deployments
from tests.integration.files_to_score import customers, make_scorer


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A night's file, and the flow without Prefect's engine."""
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHURN_SCORE_INPUT", str(tmp_path / "in-{date}.csv"))
    monkeypatch.setenv("CHURN_SCORE_OUTPUT", str(tmp_path / "out" / "{date}"))
    monkeypatch.setenv("CHURN_SCORE_SETTLE_SECONDS", "0")
    monkeypatch.setattr(module, "find_scorer", lambda *_: make_scorer("3"))
    monkeypatch.setattr(module, "get_run_logger", lambda: SimpleNamespace(info=lambda *_: None))
    for task in ("check_input", "score_and_log"):
        monkeypatch.setattr(module, task, getattr(module, task).fn)
    pyarrow.csv.write_csv(customers(200), tmp_path / "in-2025-11-30.csv")
    store = Store.open(load_settings().store_url)
    yield SimpleNamespace(store=store, folder=tmp_path)
    store.close()


def run(day: str | None = "2025-11-30") -> Any:
    return module.score_flow.fn(day)


def test_a_nights_file_is_scored_and_logged_once(night: SimpleNamespace) -> None:
    made = run()
    assert (made["scored"], made["logged"], made["version"]) == (200, 200, "3")
    assert (night.folder / "out" / "2025-11-30" / "_SUCCESS").exists()
    assert run() == {**made, "logged": 0}
    assert night.store.count_predictions() == 200


def test_a_late_or_cut_off_file_is_refused_and_leaves_everything_as_it_was(night: SimpleNamespace) -> None:
    with pytest.raises(InputError, match=r"in-2025-12-01\.csv: is not there yet"):
        run("2025-12-01")
    path = night.folder / "in-2025-12-01.csv"
    path.write_bytes((night.folder / "in-2025-11-30.csv").read_bytes()[:-5])
    with pytest.raises(InputError, match="does not end with a line break"):
        run("2025-12-01")
    assert night.store.count_predictions() == 0
    assert not (night.folder / "out").exists()


def test_a_day_is_a_date_and_the_input_is_named(night: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="'today' is no date"):
        run("today")
    with pytest.raises(InputError, match=r"in-20\d\d-\d\d-\d\d\.csv: is not there yet"):
        run(None)
    monkeypatch.delenv("CHURN_SCORE_INPUT")
    with pytest.raises(InputError, match="CHURN_SCORE_INPUT is not set"):
        run()


@pytest.mark.parametrize("scheduled", ["2025-12-01T00:30:00+02:00", "2025-11-30T00:00:00+00:00", "2025-11-30T18:00:00-05:00"])
def test_a_day_is_one_of_utc_and_that_of_the_schedule(
    night: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, scheduled: str
) -> None:
    monkeypatch.setattr(module, "flow_run", SimpleNamespace(scheduled_start_time=datetime.fromisoformat(scheduled)))
    assert run(None)["scored"] == 200
    assert (night.folder / "out" / "2025-11-30" / "_SUCCESS").exists()


def test_it_is_deployed_where_an_input_is_named(night: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_SCORE_CRON", "30 4 * * *")
    *others, nightly = make_deployments(load_settings())
    assert [f"{one.flow_name}/{one.name}" for one in (*others, nightly)] == [TRAIN, MONITOR, SCORE]
    assert [(one.schedule.cron, one.schedule.timezone) for one in nightly.schedules] == [("30 4 * * *", "UTC")]
    assert nightly.concurrency_limit == 1 or nightly.concurrency_options is not None
    monkeypatch.delenv("CHURN_SCORE_INPUT")
    assert [one.name for one in make_deployments(load_settings())] == ["retrain", "run"]


def test_answers_need_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHURN_SCORE_INPUT", "in.csv")
    with pytest.raises(InputError, match=r"CHURN_SCORE_OUTPUT: .*must say where the answers go"):
        load_settings()
