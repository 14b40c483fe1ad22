from __future__ import annotations

from pathlib import Path

from service.rollout.rollback_requests import FileRollbackRequests, RollbackRequest


def test_a_file_that_holds_anything_else_is_no_request(tmp_path: Path) -> None:
    requests = FileRollbackRequests(tmp_path)
    assert requests.read() is None
    for text in ("", "{", "[]", "{}", '{"leaving": "1", "strange": 2}'):
        (tmp_path / "rollback.json").write_text(text)
        assert requests.read() is None
    requests.write(RollbackRequest("2", "1", "run", "ada", "why"))
    assert requests.read() == RollbackRequest("2", "1", "run", "ada", "why")
    requests.clear()
    requests.clear()
    assert list(tmp_path.iterdir()) == []
