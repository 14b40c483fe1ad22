"""The screen of `churn status`: what it says of each part, and what it leaves out where nothing is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from pipelines.cli import status
from pipelines.local.status import Part, Status
from tests.unit.pipelines.cli.command import Churn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = {
    "version": "3",
    "simulated": False,
    "trained_at": (NOON - timedelta(hours=3)).isoformat(),
    "loaded_at": (NOON - timedelta(hours=2)).isoformat(),
    "trigger": "drift [x]",
}
TRAFFIC = {
    "last_hour": 1234,
    "at_least": False,
    "last_prediction_at": NOON - timedelta(minutes=5),
    "last_outcome_at": NOON - timedelta(hours=3),
}
FLOW: dict[str, Any] = {
    "flow": "train",
    "last_failure": "",
    "last_seconds": 41.4,
    "last_ended_at": NOON - timedelta(minutes=7),
    "succeeded": 4,
    "failed": 1,
}
NOTHING = Status(NOON, [])
KNOWN = Status(
    NOON,
    [Part("service", "http://x", True), Part("mlflow", "http://y", False, "refused [111]")],
    model=MODEL,
    traffic=TRAFFIC,
    monitor={"action": "watch", "at": NOON - timedelta(minutes=10), "reason": "a [b]"},
    decisions=[
        {
            "kind": "gate",
            "action": "rejected",
            "actor": "anna",
            "model_version": None,
            "reason": "not [better]",
            "decided_at": NOON,
        }
    ],
    flows=[FLOW],
    upcoming=[{"flow": "monitor", "at": NOON + timedelta(minutes=20)}],
)


def shown(found: Status) -> list[str]:
    console = Console(width=300, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(status._screen(found))
    return [" ".join(line.split()) for line in capture.get().splitlines() if line.strip()]


def test_everything_that_is_known_is_on_the_screen() -> None:
    assert shown(KNOWN) == [
        "healthy at 2026-03-01 12:00:00 UTC",
        "service up http://x",
        "mlflow down http://y refused [111]",
        "model version 3, trained 3 h ago (drift [x]), in service for 2 h",
        "traffic 1,234 predictions in the last hour; last logged: as of 2026-03-01 11:55 UTC, 5 min ago",
        "outcomes newest received 3 h ago",
        "monitor watch 10 min ago: a [b]",
        "flow train ended well 7 min ago after 41 s; 4 well, 1 failed so far",
        f"next monitor {status_age(timedelta(minutes=-20))} (2026-03-01 12:20 UTC)",
        "when what by model why",
        "03-01 12:00 gate: rejected anna not [better]",
    ]


def status_age(age: timedelta) -> str:
    from pipelines.local.status import format_age

    return format_age(age)


def test_problems_stand_at_the_top() -> None:
    assert shown(replace(NOTHING, problems=["mlflow: [refused]", "b"])) == [
        "not healthy at 2026-03-01 12:00:00 UTC",
        "• mlflow: [refused]",
        "• b",
        "model none answers",
        "when what by model why",
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"model": MODEL | {"simulated": True, "loaded_at": None}}, "trained 3 h ago (drift [x]), of simulated customers"),
        ({"traffic": TRAFFIC | {"at_least": True}}, "traffic more than 1,234 predictions"),
        ({"traffic": TRAFFIC | {"last_prediction_at": None}}, "traffic 1,234 predictions in the last hour"),
        ({"traffic": TRAFFIC | {"last_outcome_at": None}}, "outcomes none received yet"),
        ({"monitor": None}, "monitor has not run yet"),
        ({"flows": [FLOW | {"last_failure": "no data"}]}, "flow train failed 7 min ago"),
        # A clock that is a little behind.
        ({"monitor": {"action": "watch", "at": NOON + timedelta(minutes=1), "reason": "r"}}, "monitor watch 0 s ago: r"),
    ],
)
def test_what_differs_is_said(change: dict[str, Any], line: str) -> None:
    found = shown(replace(KNOWN, **change))
    assert any(line in one for one in found), found
    if change.get("traffic", TRAFFIC)["last_prediction_at"] is None:
        assert not any("last logged" in one for one in found)


def test_a_model_that_was_not_loaded_here_has_no_time_in_service() -> None:
    found = shown(replace(KNOWN, model=MODEL | {"loaded_at": None}))
    assert "model version 3, trained 3 h ago (drift [x])" in found


def test_nothing_is_said_of_a_monitor_where_the_store_could_not_be_asked() -> None:
    assert not any(line.startswith("monitor") for line in shown(NOTHING))


@pytest.mark.parametrize(("problems", "code"), [([], 0), (["x"], 1)])
def test_a_script_learns_by_the_exit_code(churn: Churn, monkeypatch: pytest.MonkeyPatch, problems: list[str], code: int) -> None:
    found = replace(KNOWN, problems=problems)
    monkeypatch.setattr("pipelines.local.status.find_status", lambda settings: found if settings.home.name == "home" else None)
    said = churn("status", "--json")
    assert (said.code, said.json["healthy"]) == (code, not problems)
    assert said.json["flows"][0]["flow"] == "train"
    said = churn("status")
    assert said.code == code
    assert said.out.startswith("not healthy" if problems else "healthy")
