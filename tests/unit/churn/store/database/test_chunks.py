from __future__ import annotations

import pytest

from churn.store.database.chunks import CHUNK, chunks


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (CHUNK, [CHUNK]), (CHUNK + 1, [CHUNK, 1]), (3 * CHUNK, [CHUNK, CHUNK, CHUNK])]
)
def test_every_value_is_in_one_chunk_in_its_order(count: int, sizes: list[int]) -> None:
    found = list(chunks(range(count)))
    assert [len(chunk) for chunk in found] == sizes
    assert [value for chunk in found for value in chunk] == list(range(count))
    assert CHUNK == 4_000
