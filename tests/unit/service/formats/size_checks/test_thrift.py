from __future__ import annotations

import pytest

from service.formats.size_checks import thrift
from service.formats.size_checks.thrift import CompactReader, Malformed


def test_a_struct_is_read_by_the_numbers_of_its_fields() -> None:
    # 1: i32 -3 · 2: true · 3: "ab" · 20: list of two i32 · 21: struct {1: i64 1} · 22: list of 16 bytes · 23: double
    data = bytes([0x15, 5, 0x11, 0x18, 2, 97, 98, 0x09, 40, 0x25, 2, 4, 0x1C, 0x16, 2, 0, 0x19, 0xF3, 16, *range(16)])
    data += bytes([0x17, *range(8), 0])
    reader = CompactReader(data + b"next")
    assert reader.struct() == {1: -3, 2: True, 3: b"ab", 20: [1, 2], 21: {1: 1}, 22: list(range(16)), 23: bytes(range(8))}
    assert reader.place == len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15",
        b"\x15" + b"\xff" * 10 + b"\x00",
        b"\x18\x7fab",
        b"\x19\xf5\xff\xff\xff\xff\x0f",
        b"\x19\xf3\x05ab",
        b"\x1b\x00\x00",
        b"\x1d\x00",
        b"\x1c" * 1_000,
        b"\x19" + b"\x19" * 1_000,
        b"\x17ab",
    ],
)
def test_what_leads_out_of_the_data_or_nowhere_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        CompactReader(data).struct()


def test_metadata_without_end_are_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thrift, "MAX_VALUES", 10)
    assert CompactReader(b"\x15\x02" * 10 + b"\x00").struct()
    with pytest.raises(Malformed, match="too long"):
        CompactReader(b"\x15\x02" * 11 + b"\x00").struct()
