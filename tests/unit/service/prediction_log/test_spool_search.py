from __future__ import annotations

from pathlib import Path

from service.prediction_log.spool import Spool
from service.prediction_log.spool_search import find_spooled
from service.prediction_log.spool_segment import BAD_SUFFIX
from tests.unit.service.prediction_log.test_spool_erasure import row


def test_rows_of_a_customer_are_found_and_stay(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 2**20)  # and a running service holds it
    spool.append([row(1, "anna"), row(2, "ben"), row(3, None)])
    spool.append([row(4, "anna-2"), row(5, "anna")])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert [one.prediction_id for one in find_spooled(tmp_path, ["anna"])] == ["p1", "p5"]
    assert [one.prediction_id for one in find_spooled(tmp_path, ["anna-2", "ben"])] == ["p2", "p4"]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    spool.close()


def test_what_was_set_aside_is_searched_past_its_damage(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 2**20)
    spool.append([row(1, "anna")])
    spool.append([row(2, "anna")])
    spool.close()
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    file.with_suffix(BAD_SUFFIX).write_bytes(data[:9] + b"\0" + data[10:])
    file.unlink()
    assert [one.prediction_id for one in find_spooled(tmp_path, ["anna"])] == ["p2"]


def test_without_a_spool_nothing_waits(tmp_path: Path) -> None:
    assert find_spooled(tmp_path / "none", ["anna"]) == []
