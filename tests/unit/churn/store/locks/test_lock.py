"""A lock beside SQLite: who has it, who waits and for how long. (Between processes, and on PostgreSQL: tests/integration.)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from churn.errors import Busy, StoreError
from churn.store.locks import lock as module
from churn.store.locks.lock import HeldLock, acquire_lock, find_holder
from churn.store.locks.sqlite_lock import SqliteLock


class Clock:
    """Stands for time: sleeping takes none, and is noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 100.0, list[float]()
        monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Lock:
    """Held by the first of `holders` at the first try, by the next at the next; free when there is none left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *holders: str) -> None:
        self._holders, self.tries, self.released = list(holders), 0, 0
        monkeypatch.setattr(module, "_lock", lambda *_: self)

    def try_acquire(self) -> bool:
        self.tries += 1
        return self.tries > len(self._holders)

    def holder(self) -> str:
        return self._holders[self.tries - 1] if self._holders else ""

    def release(self) -> None:
        self.released += 1


ENGINE: Any = None


def test_a_free_lock_is_had_at_once_and_released(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lock = Clock(monkeypatch), Lock(monkeypatch)
    with acquire_lock(ENGINE, "training", "ada") as held:
        held.confirm()
        assert lock.released == 0
    assert (lock.released, clock.slept) == (1, [])


def test_who_does_not_wait_is_told_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lock = Clock(monkeypatch), Lock(monkeypatch, *["ben"] * 9)
    with pytest.raises(Busy, match="training is under way: ben"), acquire_lock(ENGINE, "training", "ada"):
        pass
    assert (lock.tries, lock.released, clock.slept) == (1, 1, [])


def test_who_waits_is_told_once_and_tries_every_half_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lock = Clock(monkeypatch), Lock(monkeypatch, "ben", "ben", "cem")
    told: list[str] = []
    with acquire_lock(ENGINE, "training", "ada", timeout_seconds=60, on_wait=told.append):
        pass
    assert told == ["ben"]
    assert (lock.tries, clock.slept) == (4, [0.5, 0.5, 0.5])


def test_the_last_wait_is_as_long_as_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, _ = Clock(monkeypatch), Lock(monkeypatch, *["ben"] * 99)
    with pytest.raises(Busy), acquire_lock(ENGINE, "training", "ada", timeout_seconds=1.2):
        pass
    assert clock.slept == pytest.approx([0.5, 0.5, 0.2])


def test_a_lock_that_somebody_only_looked_at_is_tried_again_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lock = Clock(monkeypatch), Lock(monkeypatch, *[""] * 20)
    with acquire_lock(ENGINE, "training", "ada", on_wait=lambda _: pytest.fail("nobody has it")):
        pass
    assert clock.slept == pytest.approx([0.01] * 20)
    lock = Lock(monkeypatch, *[""] * 21)
    with pytest.raises(Busy), acquire_lock(ENGINE, "training", "ada"):
        pass
    assert lock.tries == 21
    # They are counted in a row.
    lock = Lock(monkeypatch, *[""] * 15, "ben", *[""] * 15)
    with acquire_lock(ENGINE, "training", "ada", timeout_seconds=7.7):
        pass
    assert lock.tries == 32


def test_a_lock_that_was_lost_is_said_when_it_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    held: Any = Lock(monkeypatch, "ben")
    with pytest.raises(Busy, match="training is under way: ben"):
        HeldLock("training", held).confirm()


def test_the_holder_is_asked_without_taking_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(monkeypatch, "ben")
    lock.try_acquire()
    assert find_holder(ENGINE, "training") == "ben"
    assert (lock.tries, lock.released) == (1, 1)


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{tmp_path}/store.db")


def test_two_names_are_two_locks_beside_the_database(engine: sa.Engine, tmp_path: Path) -> None:
    with acquire_lock(engine, "training", "ada"):
        assert find_holder(engine, "training").startswith("ada, since 20")
        assert find_holder(engine, "promotion") == ""
        with acquire_lock(engine, "promotion", "ben") as other:
            other.confirm()
        with pytest.raises(Busy, match="ada, since"), acquire_lock(engine, "training", "ben"):
            pass
        assert find_holder(engine, "training").startswith("ada"), "who was refused has not released it"
    assert find_holder(engine, "training") == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.db.promotion.lock", "store.db.training.lock"]


def test_the_next_holder_replaces_what_the_last_one_wrote(engine: sa.Engine) -> None:
    for holder in ("ada with a long name", "ben"):
        with acquire_lock(engine, "training", holder) as held:
            held.confirm()
            assert find_holder(engine, "training").startswith(f"{holder}, since ")


@pytest.mark.parametrize(
    "written", [b"", b"{}", b"[1]", b'{"holder": "a", "since": 5}', b"\xff", b'{"holder": "a", "since": "x"}']
)
def test_a_holder_that_wrote_nothing_readable_is_another_process(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "x.lock"
    holder = SqliteLock(path, "ada")
    assert holder.try_acquire()
    path.write_bytes(written)
    assert SqliteLock(path, "ben").holder() == "another process"
    holder.release()
    assert SqliteLock(path, "ben").holder() == ""


def test_a_lock_that_nobody_ever_took_has_no_holder_and_no_file(tmp_path: Path) -> None:
    assert SqliteLock(tmp_path / "x.lock", "ada").holder() == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_a_store_error(tmp_path: Path) -> None:
    lock = SqliteLock(tmp_path / "no" / "x.lock", "ada")
    with pytest.raises(StoreError, match="no lock beside the store"):
        lock.try_acquire()
    lock.release()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="no lock beside the store"):
        SqliteLock(tmp_path / "file" / "x.lock", "ada").holder()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_needs_no_lock(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    engine = sa.create_engine(url)
    with acquire_lock(engine, "training", "ada") as held, acquire_lock(engine, "training", "ben"):
        held.confirm()
        assert find_holder(engine, "training") == ""
    assert list(tmp_path.iterdir()) == []
