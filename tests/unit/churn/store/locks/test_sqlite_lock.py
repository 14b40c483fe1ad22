from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from churn.clock import now
from churn.errors import StoreError
from churn.store.locks.sqlite_lock import SqliteLock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db.training.lock"


def test_one_holds_it_and_the_next_one_has_it_when_it_is_released(path: Path) -> None:
    first, second = SqliteLock(path, "ada"), SqliteLock(path, "eve")
    assert (first.holder(), second.holder()) == ("", "")
    assert first.try_acquire()
    assert first.try_acquire()  # it has it already
    assert not second.try_acquire()
    first.release()
    first.release()
    assert second.holder() == ""
    assert second.try_acquire()
    assert not first.try_acquire()
    second.release()


def test_the_holder_is_known_to_others_and_since_when_in_utc(path: Path) -> None:
    lock = SqliteLock(path, "ada@desk")
    lock.try_acquire()
    name, _, since = SqliteLock(path, "eve").holder().partition(", since ")
    assert name == "ada@desk"
    assert abs(datetime.strptime(since, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) - now()) < timedelta(minutes=1)
    lock.release()


def test_the_name_of_the_holder_before_is_gone_though_it_was_longer(path: Path) -> None:
    for name in ("a very long name of a holder", "b"):
        lock = SqliteLock(path, name)
        lock.try_acquire()
        assert SqliteLock(path, "eve").holder().startswith(f"{name}, since")
        lock.release()


@pytest.mark.parametrize(
    "said", [b"", b"null", b"{}", b'{"holder": "ada"}', b'{"holder": "ada", "since": "x"}', b'{"holder": 1, "since": 2}']
)
def test_a_holder_that_cannot_be_read_is_another_process(said: bytes, path: Path) -> None:
    lock = SqliteLock(path, "ada")
    lock.try_acquire()
    path.write_bytes(said)
    assert SqliteLock(path, "eve").holder() == "another process"
    lock.release()
    assert SqliteLock(path, "eve").holder() == ""


def test_asking_who_holds_it_neither_makes_a_file_nor_keeps_the_lock(path: Path) -> None:
    asking = SqliteLock(path, "eve")
    assert asking.holder() == ""
    assert not path.exists()
    path.touch()
    assert asking.holder() == ""
    held = SqliteLock(path, "ada")
    assert held.try_acquire()
    opened = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        assert not asking.try_acquire()
        asking.holder()
    assert len(list(Path("/proc/self/fd").iterdir())) == opened
    held.release()


def test_a_folder_that_is_gone_is_an_error_of_the_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no lock beside the store: .*No such file"):
        SqliteLock(tmp_path / "gone" / "x.lock", "ada").try_acquire()
    assert SqliteLock(tmp_path / "gone" / "x.lock", "ada").holder() == ""
