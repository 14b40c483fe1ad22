from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from pipelines.backup import work_folder as module
from pipelines.backup.work_folder import remove_abandoned_folders, work_folder


def leave_behind(parent: Path, name: str) -> Path:
    left = parent / name
    left.mkdir()
    (left / "store").write_text("customers")
    return left


def test_it_is_its_owner_s_alone_and_gone_with_the_block(tmp_path: Path) -> None:
    with work_folder(tmp_path, ".work-") as folder:
        assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
        (folder / "store").write_text("customers")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_another_works_in_stays(tmp_path: Path) -> None:
    left, other = leave_behind(tmp_path, ".work-left"), leave_behind(tmp_path, "theirs")
    (tmp_path / ".work-link").symlink_to(other)
    with work_folder(tmp_path, ".work-") as first, work_folder(tmp_path, ".work-") as second:
        remove_abandoned_folders(tmp_path, ".work-")
        assert first.is_dir()
        assert second.is_dir()
        assert not left.exists()
        assert (other / "store").read_text() == "customers"


def test_one_that_is_removed_before_it_is_locked_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    make = tempfile.mkdtemp

    def make_and_lose(**where: Any) -> str:
        made.append(Path(make(**where)))
        if len(made) == 1:
            made[0].rmdir()
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    with work_folder(tmp_path, ".work-") as folder:
        assert folder == made[1]
        assert folder.is_dir()


def test_where_there_are_no_locks_nothing_is_taken_for_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int) -> bool:
        raise OSError("no locks available")

    monkeypatch.setattr(module, "try_lock", refuse)
    left = leave_behind(tmp_path, ".work-left")
    with work_folder(tmp_path, ".work-") as folder:
        remove_abandoned_folders(tmp_path, ".work-")
        assert folder.is_dir()
        assert left.is_dir()
