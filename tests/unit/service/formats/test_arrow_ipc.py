"""Arrow IPC, as a stream and as a file: what it claims is checked before anything is unpacked."""

from __future__ import annotations

from struct import pack_into

import numpy as np
import pyarrow as pa
import pytest

from service.formats import arrow_columns
from service.formats.arrow_ipc import arrow_answer
from service.formats.validation import ColumnRules
from service.http.errors import RequestProblem, TooLarge
from service.scoring.scored_batch import ScoredBatch
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


@pytest.mark.parametrize("file", [True, False])
def test_pieces_of_an_answer_make_a_whole_stream_or_file(batch: ScoredBatch, monkeypatch: pytest.MonkeyPatch, file: bool) -> None:
    monkeypatch.setattr(arrow_columns, "PIECE_ROWS", 10)
    pieces = list(arrow_answer(batch, file=file))
    assert len(pieces) == 4, "three of rows, and the end"
    whole = b"".join(pieces)
    with (pa.ipc.open_file if file else pa.ipc.open_stream)(whole) as answer:
        assert answer.read_all()["prediction_id"].to_pylist() == list(batch.prediction_ids)
    assert whole.endswith(b"ARROW1" if file else b"\xff\xff\xff\xff\x00\x00\x00\x00")
