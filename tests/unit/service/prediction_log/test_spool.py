from __future__ import annotations

import errno
import os
import stat
import struct
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.errors import StoreError
from churn.file_lock import try_lock
from churn.ids import new_id
from churn.store.records import PredictionRow
from service.prediction_log import spool as spool_module
from service.prediction_log import spool_segment
from service.prediction_log.spool import Spool
from service.prediction_log.spool_record import BEGIN, encode_record, split_records


def rows(count: int, customer_id: str | None = None) -> list[PredictionRow]:
    asked = "2026-01-02 03:04:05.000006"
    return [PredictionRow(new_id(), customer_id, asked, "1", 0.25, 0.5, False, '{"state":"OH"}') for _ in range(count)]


class Taker:
    """A store that takes so many writes, and then is away."""

    def __init__(self, writes: int = 1_000) -> None:
        self.writes, self.rows = writes, list[PredictionRow]()

    def __call__(self, some: Sequence[PredictionRow]) -> None:
        if self.writes == 0:
            raise StoreError("away")
        self.writes -= 1
        known = {row.prediction_id for row in self.rows}
        self.rows += [row for row in some if row.prediction_id not in known]


def make(folder: Path, max_bytes: int = 2**20) -> Spool:
    return Spool(folder / "spool", max_bytes)


def files(folder: Path, suffix: str = ".spool") -> list[Path]:
    return sorted((folder / "spool").glob(f"*{suffix}"))


def test_rows_come_back_in_order_and_leave_nothing_behind(tmp_path: Path) -> None:
    spool, groups, taker = make(tmp_path), [rows(3), rows(1, "é"), rows(2)], Taker()
    assert spool.empty
    for group in groups:
        spool.append(group)
    assert (spool.empty, spool.rows) == (False, 6)
    assert spool.replay(taker) == 6
    assert taker.rows == [row for group in groups for row in group]
    assert (spool.empty, spool.rows, spool.lag_seconds()) == (True, 0, 0.0)
    assert files(tmp_path) == []


def test_rows_go_behind_others_only_if_there_are_others(tmp_path: Path) -> None:
    spool, given, taker = make(tmp_path), rows(2), Taker()
    assert not spool.append_behind(given)
    assert spool.empty
    spool.append(given[:1])
    assert spool.append_behind(given[1:])
    spool.replay(taker)
    assert taker.rows == given
    assert not spool.append_behind(given)


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    make(tmp_path).append(rows(1))
    assert stat.S_IMODE(files(tmp_path)[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700


def test_a_store_that_leaves_again_gets_the_rest_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "REPLAY_ROWS", 2)
    spool, given, taker = make(tmp_path), rows(7), Taker(writes=2)
    for row in given:
        spool.append([row])
    with pytest.raises(StoreError):
        spool.replay(taker)
    assert taker.rows == given[:4]
    assert spool.rows == 3
    taker.writes = 100
    spool.replay(taker)
    assert taker.rows == given


def test_what_is_appended_while_it_is_fed_comes_too(tmp_path: Path) -> None:
    spool, early, late = make(tmp_path), rows(2), rows(2)
    taken: list[PredictionRow] = []

    def take(some: Sequence[PredictionRow]) -> None:
        if not taken:
            spool.append(late)
        taken.extend(some)

    spool.append(early)
    spool.replay(take)
    assert taken == [*early, *late]
    assert spool.empty


def test_full_segments_are_followed_by_new_ones_and_removed_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 400)
    monkeypatch.setattr(spool_module, "REPLAY_ROWS", 1)
    spool, given = make(tmp_path), rows(9)
    for row in given:
        spool.append([row])
    before = len(files(tmp_path))
    taker = Taker(writes=5)
    with pytest.raises(StoreError):
        spool.replay(taker)
    assert 1 < len(files(tmp_path)) < before
    taker.writes = 100
    spool.replay(taker)
    assert taker.rows == given


def test_a_full_spool_takes_no_more_and_keeps_what_it_has(tmp_path: Path) -> None:
    spool, given, taker = make(tmp_path, 600), rows(3), Taker()
    spool.append(given)
    with pytest.raises(StoreError, match="full"):
        spool.append(rows(3))
    spool.replay(taker)
    assert taker.rows == given
    spool.append(rows(3))


def test_a_disk_that_is_full_leaves_no_half_of_aencode_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, given, taker = make(tmp_path), rows(2), Taker()
    spool.append(given)
    size = files(tmp_path)[0].stat().st_size
    written = os.pwrite

    def half(descriptor: int, data: bytes, offset: int) -> int:
        return written(descriptor, data[: len(data) // 2], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(StoreError, match="No space"):
        spool.append(rows(2))
    monkeypatch.undo()
    assert files(tmp_path)[0].stat().st_size == size
    after = rows(1)
    spool.append(after)
    spool.replay(taker)
    assert taker.rows == [*given, *after]


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file is in the way")
    with pytest.raises(StoreError, match="folder"):
        make(tmp_path).append(rows(1))


def test_a_dead_workers_segment_is_taken_over_and_comes_first(tmp_path: Path) -> None:
    dead, own, taker = make(tmp_path), make(tmp_path), Taker()
    older, newer = rows(2), rows(2)
    dead.append(older)
    own.append(newer)
    assert own.adopt() == 0, "a living worker's segment was taken"
    dead.close()  # as the kernel does when a process is killed
    assert own.adopt() == 2
    assert own.rows == 4
    own.replay(taker)
    assert taker.rows == [*older, *newer]
    assert files(tmp_path) == []


def test_feeding_again_what_was_fed_before_a_kill_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "REPLAY_ROWS", 2)
    first, given, taker = make(tmp_path), rows(6), Taker(writes=2)
    for row in given:
        first.append([row])
    with pytest.raises(StoreError):
        first.replay(taker)
    first.close()
    second = make(tmp_path)
    taker.writes = 100
    assert second.adopt() == 6
    second.replay(taker)
    assert taker.rows == given


@pytest.mark.parametrize("cut", [1, 7, 9, 100])
def test_an_append_that_a_kill_cut_short_is_set_aside(tmp_path: Path, cut: int) -> None:
    first, given, taker = make(tmp_path), rows(2), Taker()
    first.append(given)
    whole = files(tmp_path)[0].stat().st_size
    first.append(rows(1))
    os.truncate(files(tmp_path)[0], whole + cut)
    first.close()
    second = make(tmp_path)
    assert second.adopt() == 2
    second.append(rows(1))
    second.replay(taker)
    assert taker.rows[:2] == given
    assert files(tmp_path, ".bad")[0].stat().st_size == cut


def test_a_damaged_record_is_set_aside_and_the_others_are_fed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, groups, taker = make(tmp_path), [rows(1), rows(1), rows(1)], Taker()
    sizes = []
    for group in groups:
        first.append(group)
        sizes.append(files(tmp_path)[0].stat().st_size)
    first.close()
    with files(tmp_path)[0].open("r+b") as file:
        file.seek(sizes[0] + 20)
        file.write(b"\xff")
    second = make(tmp_path)
    assert second.adopt() == 2
    second.replay(taker)
    assert taker.rows == [*groups[0], *groups[2]]
    assert files(tmp_path, ".bad")[0].stat().st_size == sizes[1] - sizes[0]
    assert "damaged" in caplog.text


def test_two_workers_do_not_take_one_segment_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, one, two = make(tmp_path), make(tmp_path), make(tmp_path)
    dead.append(rows(1))
    dead.close()
    assert (one.adopt(), two.adopt()) == (1, 0)
    # Opened before it was removed, locked after: it is gone, and nothing of it is fed again.
    path = files(tmp_path)[0]

    def removed_meanwhile(descriptor: int) -> bool:
        one.replay(Taker())
        return try_lock(descriptor)

    monkeypatch.setattr(spool_segment, "try_lock", removed_meanwhile)
    assert two.adopt() == 0
    assert not path.exists()


class Clocks:
    """The day's clock, which may be set, and the one that only goes on."""

    def __init__(self, day: float) -> None:
        self.day, self.gone = day, 1_000.0

    def pass_by(self, seconds: float) -> None:
        self.day, self.gone = self.day + seconds, self.gone + seconds

    def time(self) -> float:
        return self.day

    def monotonic(self) -> float:
        return self.gone


def test_the_age_of_what_waits_is_told_though_the_clock_is_set_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "time", clocks := Clocks(spool_module.time.time()))
    spool = make(tmp_path)
    assert spool.lag_seconds() == 0
    spool.append(rows(1))
    clocks.pass_by(60)
    assert spool.lag_seconds() == 60
    clocks.day -= 3_600
    assert spool.lag_seconds() == 60
    spool.append(rows(1))
    clocks.pass_by(5)
    assert spool.lag_seconds() == 65


@pytest.mark.parametrize(("written", "age"), [(-40.0, 50.0), (3_600.0, 10.0)])
def test_what_a_dead_worker_left_is_as_old_as_its_file_and_never_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: float, age: float
) -> None:
    dead = make(tmp_path)
    dead.append(rows(1))
    dead.close()
    (path,) = files(tmp_path)
    monkeypatch.setattr(spool_module, "time", clocks := Clocks(1_700_000_000.0))
    os.utime(path, (clocks.day + written,) * 2)
    spool = make(tmp_path)
    spool.append(rows(1))
    clocks.pass_by(10)
    assert spool.adopt() == 1
    assert spool.lag_seconds() == age
    clocks.pass_by(7)
    assert spool.lag_seconds() == age + 7


def test_a_disk_that_refuses_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(StoreError, match="Input/output error"):
        make(tmp_path).append(rows(1))


def test_a_record_of_another_version_is_set_aside_like_a_damaged_one(tmp_path: Path) -> None:
    payload = orjson.dumps([["an id", "a column that is not ours", 1]])
    foreign = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    given = rows(2)
    spool = Spool(tmp_path, 2**20)
    spool.append(given)
    spool.close()
    segment = next(tmp_path.glob("*.spool"))
    segment.write_bytes(foreign + segment.read_bytes())
    again, taker = Spool(tmp_path, 2**20), Taker()
    assert again.adopt() == 2
    again.replay(taker)
    assert taker.rows == given
    assert next(tmp_path.glob("*.bad")).read_bytes() == foreign


DAMAGES = st.lists(
    st.tuples(st.sampled_from(["set", "zero", "remove", "insert"]), st.integers(0, 10_000), st.binary(min_size=1, max_size=12)),
    min_size=1,
    max_size=3,
)


def damage(data: bytes, how: str, place: int, noise: bytes) -> tuple[bytes, int, int]:
    """Return the damaged bytes, and where in the old ones the damage begins and ends."""
    place %= len(data)
    end = min(len(data), place + len(noise))
    put = {"set": noise[: end - place], "zero": bytes(end - place), "remove": b"", "insert": noise}[how]
    end = place if how == "insert" else end
    return data[:place] + put + data[end:], place, end


@settings(max_examples=300, deadline=None)
@given(counts=st.lists(st.integers(1, 3), min_size=1, max_size=6), damages=DAMAGES)
def test_damage_loses_the_records_it_touched_and_no_other_and_never_twice(
    counts: list[int], damages: list[tuple[str, int, bytes]]
) -> None:
    groups = [rows(count, 'a [["b"]] \\ "é"') for count in counts]
    records = [encode_record(group) for group in groups]
    pieces = list(records)
    for how, place, noise in damages:
        # Damage one record at a time, so that it is known which ones are touched.
        number = place % len(records)
        pieces[number] = damage(pieces[number] or b"x", how, place, noise)[0]
    data = b"".join(pieces)
    # Bytes that were put in before or behind a record have not touched it.
    whole = [group for group, record, piece in zip(groups, records, pieces, strict=True) if record in piece]
    found = list(split_records(lambda start, length: data[start : start + length], 0, len(data)))
    assert [group for *_, group in found if group is not None] == whole
    assert [(start, stop) for start, stop, _ in found] == list(pairwise([0, *(stop for _, stop, _ in found)]))
    assert not found or found[-1][1] == len(data)


@pytest.mark.parametrize("length", [0, 3, 2**31, 2**32 - 1])
@pytest.mark.parametrize("adopted", [True, False])
def test_a_damaged_length_loses_one_record_and_ends(tmp_path: Path, length: int, adopted: bool) -> None:
    spool, given, taker = make(tmp_path), rows(5), Taker()
    lost: list[int] = []
    for row in given:
        spool.append([row])
    path, record = files(tmp_path)[0], len(encode_record(given[:1]))
    with path.open("r+b") as file:
        file.seek(record)
        file.write(struct.pack("<I", length))
    if adopted:
        spool.close()
        spool = make(tmp_path)
        spool.on_damage = lost.append
        assert spool.adopt() == 4
    spool.replay(taker)
    assert taker.rows == [given[0], *given[2:]]
    assert spool.empty
    assert (lost, files(tmp_path, ".bad")[0].stat().st_size) == ([record] if adopted else [], record)


def test_the_search_for_the_next_record_is_linear() -> None:
    data = BEGIN * 200_000 + encode_record(rows(1))
    asked = 0

    def read(start: int, length: int) -> bytes:
        nonlocal asked
        asked += min(length, len(data) - start)
        return data[start : start + length]

    assert [group is None for *_, group in split_records(read, 0, len(data))] == [True, False]
    assert asked < 20 * len(data)
