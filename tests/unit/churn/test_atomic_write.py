from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from churn.atomic_write import PRIVATE, STAGING_PREFIX, atomic_write, remove_abandoned
from churn.errors import describe_refusal


def test_the_target_appears_whole_and_the_staging_file_is_gone(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    with atomic_write(target) as staging:
        staging.write_text("new")
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert target.read_text() == "new"


def test_after_an_exception_the_old_content_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")

    def interrupted() -> None:
        with atomic_write(target) as staging:
            staging.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert target.read_text() == "old"


@pytest.mark.parametrize(("umask", "mode", "expected"), [(0o022, None, 0o644), (0o002, None, 0o664), (0o022, PRIVATE, 0o600)])
def test_permissions_follow_the_umask_or_are_private(tmp_path: Path, umask: int, mode: int | None, expected: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "a", **({} if mode is None else {"mode": mode})) as staging:
            staging.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == expected


def test_the_content_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, synced = tmp_path / "a", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(target.exists()))
    with atomic_write(target) as staging:
        staging.write_text("x")
    assert synced == [False, True], "the file first, then the folder that holds its new name"


def test_the_staging_file_may_lie_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with atomic_write(tmp_path / "data" / "a", staging_folder=tmp_path) as staging:
        assert staging.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "none" / "a"):
        pass


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a device or a pipe, and no file"), atomic_write(pipe):
        pytest.fail("there is nothing to write to")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    left, young = tmp_path / f"{STAGING_PREFIX}left", tmp_path / f"{STAGING_PREFIX}young"
    for file in (left, young, tmp_path / "other"):
        file.write_text("customers")
    (tmp_path / f"{STAGING_PREFIX}link").symlink_to(tmp_path / "other")
    (tmp_path / f"{STAGING_PREFIX}folder").mkdir()
    with atomic_write(tmp_path / "a.csv") as staging:
        for file in (left, staging, tmp_path / "other"):
            os.utime(file, (0, 0))
        remove_abandoned(tmp_path)
        assert not left.exists()
        assert young.exists()
        staging.write_text("new")
    assert (tmp_path / "a.csv").read_text() == "new"
    assert (tmp_path / "other").read_text() == "customers"
    remove_abandoned(tmp_path / "no such folder")


def test_a_full_disk_names_the_file_though_a_write_does_not(tmp_path: Path) -> None:
    target = tmp_path / "list.csv"
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert describe_refusal(caught.value) == f"{target}: No space left on device"
    with pytest.raises(OSError, match="other") as caught, atomic_write(target):
        raise OSError(errno.ENOENT, "is not there", "other")
    assert caught.value.filename == "other"
