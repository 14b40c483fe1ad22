from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson

from churn.lifecycle.rollback_request import RollbackRequest
from service.rollout.rollback_requests import FileRollbackRequests


def test_a_file_that_holds_anything_else_is_no_request(tmp_path: Path) -> None:
    requests = FileRollbackRequests(tmp_path)
    assert requests.read() is None
    for text in ("", "{", "[]", "{}", '{"leaving": "1", "strange": 2}'):
        (tmp_path / "rollback.json").write_text(text)
        assert requests.read() is None
    requests.write(RollbackRequest("2", "run-2", "1", "run-1", "ada", "why", automatic=True, evidence={"errors": 3}))
    assert requests.read() == RollbackRequest("2", "run-2", "1", "run-1", "ada", "why", automatic=True, evidence={"errors": 3})
    requests.clear()
    requests.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_request_keeps_its_id_and_one_of_a_version_before_ids_has_none(tmp_path: Path) -> None:
    requests = FileRollbackRequests(tmp_path)
    request = RollbackRequest("2", "run-2", "1", "run-1", "ada", "complaints")
    requests.write(request)
    read = requests.read()
    assert read is not None
    assert read.request_id == request.request_id != ""
    written = {name: value for name, value in asdict(request).items() if name != "request_id"}
    (tmp_path / "rollback.json").write_bytes(orjson.dumps(written))
    old = requests.read()
    assert old == request
    assert old.request_id == ""
