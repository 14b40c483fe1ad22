"""What is erased from the spool's files, and what is left as it was."""

from __future__ import annotations

from pathlib import Path

from churn.atomic_write import STAGING_PREFIX
from churn.store.records import PredictionRow
from service.prediction_log.spool import Spool
from service.prediction_log.spool_erasure import SpoolErasure, erase_spooled
from service.prediction_log.spool_record import encode_record
from service.prediction_log.spool_segment import BAD_SUFFIX


def row(n: int, who: str | None) -> PredictionRow:
    return PredictionRow(f"p{n}", who, "2026-01-02 03:04:05.000006", "1", 0.25, 0.5, False, "{}")


def spooled(folder: Path, *groups: list[PredictionRow]) -> None:
    spool = Spool(folder, 2**20)
    for group in groups:
        spool.append(group)
    spool.close()


def fed(folder: Path) -> list[str]:
    ids: list[str] = []
    spool = Spool(folder, 2**20)
    spool.adopt()
    spool.replay(lambda rows: ids.extend(one.prediction_id for one in rows))
    return ids


def test_rows_of_others_keep_their_order_and_an_empty_file_goes(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1, "anna"), row(2, 'b"en')], [row(3, "anna")], [row(4, None)])
    spooled(tmp_path, [row(5, "anna")])
    assert erase_spooled(tmp_path, ["anna"]).rows == 3
    assert len(list(tmp_path.iterdir())) == 1
    assert erase_spooled(tmp_path, ['b"en']).rows == 1
    assert fed(tmp_path) == ["p4"]


def test_a_file_without_the_customer_is_not_touched(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1, "anna-2")])
    (file,) = tmp_path.iterdir()
    before = file.stat().st_ino
    assert erase_spooled(tmp_path, ["anna-3"]).rows == 0
    assert erase_spooled(tmp_path, ["anna"]).rows == 0, "a part of a name is another name"
    assert file.stat().st_ino == before
    assert fed(tmp_path) == ["p1"]


def test_what_was_set_aside_is_looked_into_too(tmp_path: Path) -> None:
    refused, damaged, other = (tmp_path / f"{name}{BAD_SUFFIX}" for name in ("refused", "damaged", "other"))
    refused.write_bytes(encode_record([row(1, "anna"), row(2, "ben")]))
    damaged.write_bytes(b'\x07\x00\x00\x00half a record of "anna"')
    other.write_bytes(b"half a record of another")
    assert erase_spooled(tmp_path, ["anna"]).rows == 1
    assert b"anna" not in refused.read_bytes()
    assert b"ben" in refused.read_bytes()
    assert not damaged.exists()
    assert other.exists()


def test_what_a_killed_erasure_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f"{STAGING_PREFIX}1"
    left.write_bytes(encode_record([row(1, "ben")]))
    assert erase_spooled(tmp_path, ["ben"]).rows == 0
    assert not left.exists()


def test_a_file_that_a_running_service_holds_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1, "anna")])
    (free,) = tmp_path.iterdir()
    running = Spool(tmp_path, 2**20)
    running.append([row(2, "anna")])
    (held,) = set(tmp_path.iterdir()) - {free}
    before = held.read_bytes()
    erased = erase_spooled(tmp_path, ["anna"])
    assert (erased.rows, erased.held) == (1, [held])
    assert held.read_bytes() == before
    running.close()
    assert erase_spooled(tmp_path, ["anna"]) == SpoolErasure(1, [])


def test_nothing_is_no_error(tmp_path: Path) -> None:
    assert erase_spooled(tmp_path / "none", ["anna"]).rows == 0
