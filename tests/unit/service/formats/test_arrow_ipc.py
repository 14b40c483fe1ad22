"""Arrow IPC, as a stream and as a file: what it claims is checked before anything is unpacked."""

from __future__ import annotations

from struct import pack_into

import numpy as np
import pyarrow as pa
import pytest

from service.formats.validation import ColumnRules
from service.http.errors import RequestProblem, TooLarge
from tests.unit.service.formats.test_arrow_columns import TABLE, file, reader, stream


def test_rows_without_any_bytes_are_counted_too(rules: ColumnRules) -> None:
    with pytest.raises(TooLarge):
        reader("stream", rules)(stream(pa.table({"state": pa.nulls(10**9)})))


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_arrow_is_read_and_a_bomb_is_told_before_it_goes_off(rules: ColumnRules, compression: str) -> None:
    assert len(reader("stream", rules)(stream(TABLE, compression=compression))) == 2
    assert len(reader("file", rules)(file(TABLE, compression=compression))) == 2
    bomb = stream(pa.table({"state": ["x" * 10_000_000]}), compression=compression)
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        reader("stream", rules)(bomb)


def test_a_claim_of_more_bytes_than_there_are_is_told(rules: ColumnRules) -> None:
    body = bytearray(stream(pa.table({"total_day_minutes": pa.array(np.zeros(900))}), compression="zstd"))
    place = bytes(body).rindex((7200).to_bytes(8, "little"))
    for claim in (2**50, -5):
        pack_into("<q", body, place, claim)
        with pytest.raises(RequestProblem):
            reader("stream", rules)(bytes(body))
