"""Parquet: what it claims is checked before anything is unpacked."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.formats import arrow_columns
from service.formats.parquet import parquet_answer
from service.formats.validation import ColumnRules
from service.http.errors import TooLarge, Unprocessable
from service.scoring.scored_batch import ScoredBatch
from tests.unit.service.formats.test_arrow_columns import TABLE, parquet, reader


@pytest.mark.parametrize("compression", ["zstd", "gzip", "snappy", "brotli"])
def test_a_parquet_bomb_is_told_before_it_goes_off(rules: ColumnRules, compression: str) -> None:
    assert len(reader("parquet", rules)(parquet(TABLE, compression=compression))) == 2
    bomb = parquet(pa.table({"state": ["x" * 20_000_000]}), compression=compression, use_dictionary=False)
    with pytest.raises(TooLarge):
        reader("parquet", rules)(bomb)


def test_a_long_text_that_repeats_is_kept_once(rules: ColumnRules) -> None:
    text = "x" * 400_000
    body = parquet(pa.table({"state": [text] * 900}), dictionary_pagesize_limit=2**24, write_statistics=False)
    with pytest.raises(Unprocessable) as error:
        reader("parquet", rules)(body)
    assert str(error.value).startswith("900 problems")


def test_pieces_of_an_answer_make_a_whole_file(batch: ScoredBatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_columns, "PIECE_ROWS", 10)
    pieces = list(parquet_answer(batch))
    assert len(pieces) == 4, "three of rows, and the end"
    table = pq.read_table(pa.BufferReader(b"".join(pieces)))
    assert table["prediction_id"].to_pylist() == list(batch.prediction_ids)
