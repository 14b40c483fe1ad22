"""Parquet: what it claims is checked before anything is unpacked."""

from __future__ import annotations

import pyarrow as pa
import pytest

from service.formats.validation import ColumnRules
from service.http.errors import TooLarge, Unprocessable
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
