from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from churn.errors import StoreError
from churn.store.records import PredictionRow
from service.prediction_log import spool_segment
from service.prediction_log.spool_record import encode_record
from service.prediction_log.spool_segment import Segment, append_to


def rows(first: int, count: int) -> list[PredictionRow]:
    asked = "2026-01-02 03:04:05.000006"
    return [PredictionRow(f"p{n}", None, asked, "1", 0.25, 0.5, False, "{}") for n in range(first, first + count)]


def filled(folder: Path, *groups: list[PredictionRow]) -> Segment:
    segment = Segment.create(folder)
    for group in groups:
        segment.append(encode_record(group))
    return segment


def test_a_new_segment_is_empty_locked_and_only_for_its_owner(tmp_path: Path) -> None:
    segment = Segment.create(tmp_path)
    assert (segment.size, segment.replayed, segment.own) == (0, 0, True)
    assert [path.name for path in tmp_path.iterdir()] == [segment.path.name]
    assert segment.path.suffix == ".spool"
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    assert Segment.lock(segment.path) is None
    segment.close()
    adopted = Segment.lock(segment.path)
    assert adopted is not None
    assert (adopted.own, adopted.path) == (False, segment.path)
    adopted.close()
    with pytest.raises(StoreError, match="the spool cannot be written: No such file"):
        Segment.create(tmp_path / "gone")


def test_one_that_is_gone_or_was_replaced_is_not_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Segment.lock(tmp_path / "gone.spool") is None
    segment = filled(tmp_path, rows(0, 1))
    segment.close()
    opened = os.open

    def replaced_meanwhile(path: Path, *flags: int) -> int:
        descriptor = opened(path, *flags)
        monkeypatch.undo()
        segment.path.unlink()
        segment.path.touch()
        return descriptor

    monkeypatch.setattr(os, "open", replaced_meanwhile)
    assert Segment.lock(segment.path) is None


def test_what_was_appended_comes_back_in_batches_and_counts_when_the_next_is_asked_for(tmp_path: Path) -> None:
    segment = filled(tmp_path, rows(0, 2), rows(2, 2), rows(4, 3))
    batches = segment.batches(4)
    assert next(batches) == rows(0, 4)
    assert segment.replayed == 0
    assert next(batches) == rows(4, 3)
    assert segment.replayed == len(encode_record(rows(0, 2))) + len(encode_record(rows(2, 2)))
    assert list(batches) == []
    assert segment.replayed == segment.size
    assert list(segment.batches(4)) == []
    segment.append(encode_record(rows(7, 1)))
    assert list(segment.batches(4)) == [rows(7, 1)]
    segment.close()


def test_a_record_is_never_split_and_one_that_is_too_large_comes_alone(tmp_path: Path) -> None:
    segment = filled(tmp_path, rows(0, 5), rows(5, 1), rows(6, 1))
    assert [len(batch) for batch in segment.batches(2)] == [5, 2]
    segment.close()


def test_a_full_disk_keeps_nothing_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = filled(tmp_path, rows(0, 1))
    size = segment.size
    written = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda descriptor, data, at: written(descriptor, data[:5], at))
        with pytest.raises(StoreError, match="the spool cannot be written: No space left on device"):
            segment.append(encode_record(rows(1, 1)))
    assert (segment.size, segment.path.stat().st_size) == (size, size)
    segment.append(encode_record(rows(1, 1)))
    assert [row for batch in segment.batches(9) for row in batch] == rows(0, 2)
    segment.close()


def test_a_record_is_on_the_disk_when_it_was_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    synced = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (flushed.append(os.fstat(descriptor).st_size), synced(descriptor)))
    segment = filled(tmp_path, rows(0, 1))
    assert flushed == [segment.size]
    append_to(tmp_path / "other", b"abc")
    assert flushed == [segment.size, 3]
    segment.close()


def test_an_append_that_was_cut_short_is_cut_off_and_damage_is_set_aside_once(tmp_path: Path) -> None:
    segment = filled(tmp_path, rows(0, 1), rows(1, 2))
    whole = segment.size
    with segment.path.open("r+b") as file:
        file.seek(12)
        file.write(b"#")
        file.seek(0, os.SEEK_END)
        file.write(b"half a record")
    segment.close()
    adopted = Segment.lock(segment.path)
    assert adopted is not None
    damaged: list[int] = []
    adopted.on_damage = damaged.append
    assert adopted.recover() == 2
    assert (adopted.size, segment.path.stat().st_size) == (whole, whole)
    assert damaged == [len(encode_record(rows(0, 1))), len(b"half a record")]
    bad = segment.path.with_suffix(".bad")
    assert bad.read_bytes().endswith(b"half a record")
    assert [row for batch in adopted.batches(9) for row in batch] == rows(1, 2)
    assert len(damaged) == 2
    assert bad.stat().st_size == sum(damaged)
    adopted.remove()
    assert [path.name for path in tmp_path.iterdir()] == [bad.name]


def test_appending_makes_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    for data in (b"abc", b"", b"def"):
        append_to(tmp_path / "file", data)
    assert (tmp_path / "file").read_bytes() == b"abcdef"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_new_segment_is_in_its_folder_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is synced when the file has its name, and before anybody may write to it."""
    synced: list[list[str]] = []
    monkeypatch.setattr(spool_segment, "sync_folder", lambda folder: synced.append([path.name for path in folder.iterdir()]))
    segment = Segment.create(tmp_path)
    assert synced == [[segment.path.name]]
    segment.close()
