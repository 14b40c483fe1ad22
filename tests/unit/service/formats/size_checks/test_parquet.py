"""What a Parquet file claims, held against itself."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.formats.size_checks.parquet import read_sizes
from service.formats.size_checks.thrift import Malformed

# In thrift's compact protocol: a field of type i64, one further than the last, and a number in zigzag.
FIELD, SIXTY_FOUR, ONE = b"\x16", b"\x80\x01", b"\x82\x00"


def parquet(columns: dict[str, list[float]], **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def test_rows_columns_and_unpacked_pages_are_told() -> None:
    body = parquet({"a": [1.0] * 64, "b": [2.0] * 64}, row_group_size=20, compression="none", use_dictionary=False)
    sizes = read_sizes(body)
    assert (sizes.rows, sizes.columns) == (64, {"a", "b"})
    assert 2 * 64 * 8 <= sizes.unpacked_bytes <= 2 * 64 * 8 + 200


@pytest.mark.parametrize("where", ["file", "row group"])
def test_a_footer_that_says_fewer_rows_than_there_are_is_refused(where: str) -> None:
    body = parquet({"a": [float(n) for n in range(64)]}, compression="none")
    assert read_sizes(body).rows == 64
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    # The file's own number of rows comes first, the row group's last.
    place = body.index(FIELD + SIXTY_FOUR, footer) if where == "file" else body.rindex(FIELD + SIXTY_FOUR)
    lying = body[:place] + FIELD + ONE + body[place + 3 :]
    assert len(lying) == len(body)
    with pytest.raises(Malformed, match="other rows"):
        read_sizes(lying)


def test_of_nested_columns_no_names_are_told() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [{"x": 1.0}]}), file)
    assert read_sizes(file.getvalue()).columns == frozenset()


@pytest.mark.parametrize("body", [b"", b"PAR1", b"PAR1" + b"\0" * 8, b"PAR1\xff\0\0\0PAR1", b"nothing of the kind, PAR1"])
def test_what_is_no_parquet_file_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_sizes(body)
