"""How a flow run ended is written down, however it ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from churn.config.settings import load_settings
from churn.store.store import Store
from pipelines.flows.run_results import note_end

TRAIN = SimpleNamespace(name="train")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHURN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CHURN_STORE_URL", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def state(completed: bool, message: str | None = None, name: str = "Failed") -> Any:
    return SimpleNamespace(is_completed=lambda: completed, message=message, name=name)


def run(started: timedelta | None = None, expected: timedelta | None = None) -> Any:
    now = datetime.now(UTC)
    times = {"start_time": started, "expected_start_time": expected}
    return SimpleNamespace(**{name: None if ago is None else now - ago for name, ago in times.items()})


def noted() -> Any:
    store = Store.open(load_settings().store_url)
    (found,) = store.flow_runs()
    store.close()
    return found


@pytest.mark.parametrize(
    ("ended", "failure"),
    [
        (state(True, "all is well"), ""),
        (state(False, "no data"), "no data"),
        (state(False, None, "Crashed"), "Crashed"),
        (state(False, "", "Cancelled"), "Cancelled"),
    ],
)
def test_why_it_failed_is_told_in_its_words_or_by_the_name_of_its_state(ended: Any, failure: str) -> None:
    note_end(TRAIN, run(), ended)
    found = noted()
    assert (found.flow, found.last_failure) == ("train", failure)
    assert (found.succeeded, found.failed) == ((1, 0) if not failure else (0, 1))


@pytest.mark.parametrize(
    ("ago", "seconds"),
    [
        ({"started": timedelta(minutes=2), "expected": timedelta(hours=1)}, 120),
        ({"expected": timedelta(minutes=3)}, 180),
        ({}, 0),
        ({"started": timedelta(minutes=-5)}, 0),
    ],
)
def test_it_took_as_long_as_since_its_start(ago: dict[str, timedelta], seconds: float) -> None:
    note_end(TRAIN, run(**ago), state(True))
    assert noted().last_seconds == pytest.approx(seconds, abs=20)


def test_a_store_that_is_away_is_logged_and_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHURN_STORE_URL", f"sqlite:///{tmp_path}/file/store.db")
    note_end(TRAIN, run(), state(True))
    assert "the end of train could not be written down" in caplog.text
