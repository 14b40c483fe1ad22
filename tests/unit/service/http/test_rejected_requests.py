from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from service.http import rejected_requests
from service.http.errors import FieldProblem
from service.http.rejected_requests import RejectedRequests

KNOWN = ["customers", "state", "total_day_minutes"]


def note(failures: RejectedRequests, *fields: str, request_id: str = "r1") -> None:
    failures.note(
        request_id=request_id,
        method="POST",
        path="/predict",
        status=422,
        problem="unprocessable",
        errors=[FieldProblem(field=field, problem="is wrong") for field in fields],
        body_bytes=12,
        model_version="3",
    )


def test_all_that_is_promised_is_told_and_the_newest_come_first(tmp_path: Path) -> None:
    failures = RejectedRequests(tmp_path / "failed", 10, KNOWN)
    note(failures, "state", request_id="first")
    note(failures, "customers.3.total_day_minutes", request_id="second")
    newest, oldest = failures.newest(5)
    assert newest.pop("at") >= oldest["at"]
    assert newest == {
        "request_id": "second",
        "method": "POST",
        "route": "/predict",
        "status": 422,
        "problem": "unprocessable",
        "problems": 1,
        "errors": [{"field": "customers.3.total_day_minutes", "problem": "is wrong"}],
        "body_bytes": 12,
        "model_version": "3",
    }
    assert [one["request_id"] for one in failures.newest(1)] == ["second"]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("customers.3.state", "customers.3.state"),
        ("Jane Doe", "(unknown)"),
        ("5551234567", "(unknown)"),
        ("customers.0.5551234567", "customers.0.(unknown)"),
        ("customers.0.jane.doe@example.org", "customers.0.(unknown).(unknown)"),
        ("state.Jane", "state.(unknown)"),
    ],
)
def test_names_that_the_caller_invented_are_not_told(tmp_path: Path, field: str, told: str) -> None:
    failures = RejectedRequests(tmp_path, 10, KNOWN)
    note(failures, field)
    assert failures.newest(1)[0]["errors"] == [{"field": told, "problem": "is wrong"}]


def test_of_many_the_newest_stay_and_of_many_problems_a_few(tmp_path: Path) -> None:
    failures = RejectedRequests(tmp_path, 3, KNOWN)
    for number in range(10):
        note(failures, *["state"] * 50, request_id=str(number))
    kept = failures.newest(100)
    assert [one["request_id"] for one in kept] == ["9", "8", "7"]
    assert [(one["problems"], len(one["errors"])) for one in kept] == [(50, rejected_requests.MAX_PROBLEMS)] * 3


def test_any_worker_tells_of_all_and_a_new_start_still_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = RejectedRequests(tmp_path, 5, KNOWN)
    monkeypatch.setattr(os, "getpid", lambda: 4_000_000)
    two = RejectedRequests(tmp_path, 5, KNOWN)
    note(one, "state", request_id="one")
    one.close()
    note(two, "state", request_id="two")
    assert [entry["request_id"] for entry in two.newest(5)] == ["two", "one"]


def test_old_workers_files_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.jsonl").write_text('{"at": "2025"}\n')
    failures = RejectedRequests(tmp_path, 5, KNOWN)
    note(failures, "state")
    failures.flush()
    assert len(list(tmp_path.iterdir())) <= 17
    assert failures.newest(1)[0]["request_id"] == "r1"


def test_it_is_written_now_and_then_and_only_for_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected_requests, "FLUSH_SECONDS", 0.001)
    failures = RejectedRequests(tmp_path / "failed", 5, KNOWN)
    failures.start()
    note(failures, "state")
    failures.close()
    file = tmp_path / "failed" / f"{os.getpid()}.jsonl"
    assert file.read_bytes().count(b"\n") == 1
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_kept_if_nothing_is_to_be(tmp_path: Path) -> None:
    failures = RejectedRequests(tmp_path / "failed", 0, KNOWN)
    note(failures, "state")
    assert failures.newest(10) == []


def test_a_folder_that_cannot_be_made_and_a_torn_line_disturb_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "failed").write_text("a file is in the way")
    failures = RejectedRequests(tmp_path / "failed", 5, KNOWN)
    note(failures, "state")
    assert failures.newest(5) == []
    assert "cannot be written" in caplog.text
    (tmp_path / "failed").unlink()
    note(failures, "state")
    failures.flush()
    (tmp_path / "failed" / "1.jsonl").write_bytes(b'{"at": "2026')
    assert len(failures.newest(5)) == 2


def test_the_end_waits_for_the_writer_and_writes_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    class Thread:
        def __init__(self, **given: object) -> None:
            told.append(given["daemon"])

        def start(self) -> None:
            told.append("start")

        def join(self, seconds: float) -> None:
            told.append((seconds, list(tmp_path.rglob("*.jsonl"))))

    monkeypatch.setattr(rejected_requests.threading, "Thread", Thread)
    failures = RejectedRequests(tmp_path / "failed", 10, KNOWN)
    failures.start()
    note(failures, "state")
    failures.close()
    assert told == [True, "start", (rejected_requests.FLUSH_SECONDS, [])]
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1
