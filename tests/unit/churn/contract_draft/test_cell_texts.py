from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from churn.contract_draft.cell_texts import cell_texts, is_number, missing_texts


def chunked(*chunks: list[object]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(chunk) for chunk in chunks])


def test_texts_lose_their_blanks_and_missing_ones_are_none() -> None:
    found = cell_texts(chunked([" a ", "", "NA", None], ["b", "nan", "a"]))
    assert found.tolist() == ["a", None, None, None, "b", None, "a"]
    assert found.dtype == object


def test_a_level_that_only_looks_missing_is_one() -> None:
    assert cell_texts(chunked(["NA", "", "none"]), ("NA",)).tolist() == ["NA", None, None]


def test_numbers_are_the_texts_that_they_are() -> None:
    assert cell_texts(chunked([1, 2, None])).tolist() == ["1", "2", None]
    assert cell_texts(chunked([1.0, 2.5, float("nan")])).tolist() == ["1", "2.5", None]
    assert cell_texts(chunked([Decimal("1.50")])).tolist() == ["1.5"]
    assert cell_texts(chunked([[1, 2]])).tolist() == ["[1, 2]"]


def test_what_repeats_is_one_object() -> None:
    found = cell_texts(chunked(["a long text"], ["a long text"]))
    assert found[0] is found[1]


def test_texts_that_count_as_missing_are_counted_but_empty_ones_are_not() -> None:
    assert missing_texts(chunked(["NA", " NA ", "", "  ", None, "a", "null"], ["NA"])) == {"NA": 3, "null": 1}
    assert missing_texts(chunked(["NA", "b"]).dictionary_encode()) == {"NA": 1}
    assert missing_texts(chunked([1, None])) == {}
    assert missing_texts(chunked([1, None]).dictionary_encode()) == {}
    assert missing_texts(pa.chunked_array([pa.array(["NA"], pa.large_string())])) == {"NA": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", True), ("-1.5", True), ("1e3", True), (".5", True), ("1,5", False), ("1 2", False), ("", False), ("1\n", False)],
)
def test_a_number_is_written_plainly(text: str, expected: bool) -> None:
    assert is_number(text) is expected
