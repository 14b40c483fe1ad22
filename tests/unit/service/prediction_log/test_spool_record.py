from __future__ import annotations

import orjson
import pytest

from churn.store.records import PredictionRow
from service.prediction_log import spool_record as module
from service.prediction_log.spool_record import BEGIN, HEADER, decode_rows, encode_record, requested_at, split_records


def rows(count: int, customer_id: str | None = "c") -> list[PredictionRow]:
    asked = "2026-01-02 03:04:05.000006"
    return [PredictionRow(f"p{n}", customer_id, asked, "1", 0.25, 0.5, False, '{"a":"[[\\""}', n % 2 == 0) for n in range(count)]


def split(data: bytes, start: int = 0) -> list[tuple[int, int, list[PredictionRow] | None]]:
    return list(split_records(lambda at, length: data[at : at + length], start, len(data)))


FIRST, SECOND, THIRD = (encode_record(rows(n)) for n in (1, 2, 3))


def test_a_record_comes_back_with_its_place() -> None:
    data = FIRST + SECOND
    assert split(data) == [(0, len(FIRST), rows(1)), (len(FIRST), len(data), rows(2))]
    assert split(data, len(FIRST)) == [(len(FIRST), len(data), rows(2))]
    assert split(b"") == []
    length, _ = HEADER.unpack(FIRST[: HEADER.size])
    assert len(FIRST) == HEADER.size + length


@pytest.mark.parametrize("place", [0, 4, HEADER.size, HEADER.size + 5, -1])
def test_damage_loses_the_record_that_it_touched_and_no_other(place: int) -> None:
    damaged = bytearray(SECOND)
    damaged[place] ^= 0x55
    data = FIRST + bytes(damaged) + THIRD
    found = split(data)
    assert found[0] == (0, len(FIRST), rows(1))
    assert found[-1] == (len(data) - len(THIRD), len(data), rows(3))
    assert [group for _, _, group in found[1:-1]] == [None] * (len(found) - 2)
    assert [begin for begin, _, _ in found[1:]] == [end for _, end, _ in found[:-1]]
    assert len(found) >= 3


def test_an_append_that_was_cut_short_is_damage_to_the_end() -> None:
    for kept in range(1, len(FIRST)):
        data = SECOND + FIRST[:kept]
        assert split(data) == [(0, len(SECOND), rows(2)), (len(SECOND), len(data), None)], f"{kept} bytes"


@pytest.mark.parametrize("junk", [b"x", b"\0" * 100, BEGIN, BEGIN * 50, b"x" * 37 + BEGIN])
def test_a_record_is_found_behind_whatever_stands_before_it(junk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for scan in (2**20, 16, 5):
        monkeypatch.setattr(module, "SCAN_BYTES", scan)
        data = junk + FIRST
        found = split(data)
        assert found[-1] == (len(junk), len(data), rows(1))
        assert all(group is None for _, _, group in found[:-1])
        assert split(junk) == [(0, len(junk), None)]


def test_rows_of_another_version_are_none() -> None:
    good = orjson.dumps([tuple(row) for row in rows(2)])
    assert decode_rows(good) == rows(2)
    wrong_time = orjson.dumps([[*rows(1)[0][:2], "yesterday", *rows(1)[0][3:]]])
    for payload in (b"[]", b"{}", b"[[1]]", b"x", b"[[1,2,3,4,5,6,7,8,9,10]]", b"null", wrong_time):
        assert decode_rows(payload) is None


def test_when_a_prediction_was_requested() -> None:
    assert requested_at(rows(1)[0]) == 1_767_323_045.000006
