"""What repeats is kept once, what is too long is cut, and views that lead nowhere are refused before anybody follows them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from benchmarks.attacks.bodies.tables import LONG, repeated, views
from churn.customers.bounded_texts import TooMuchText, bounded_texts
from churn.customers.from_arrow import read_values

TEXTS = ["a", None, "é" * 130, "x" * 128, "", "x" * 129, "x" * 5_000, "a"]
ROOM = 2**20


def bound(array: Any, max_bytes: int = ROOM) -> Any:
    return bounded_texts(pa.chunked_array([array]), max_bytes, 128)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
@pytest.mark.parametrize("as_dictionary", [False, True])
@pytest.mark.parametrize("start", [0, 1])
def test_texts_are_what_they_were_up_to_one_character_more_than_is_read(kind: Any, as_dictionary: bool, start: int) -> None:
    array = pa.array(TEXTS, pa.string()).cast(kind)
    if as_dictionary:
        indices = pa.array([0, None, *range(2, len(TEXTS))], pa.int8())
        array = pa.DictionaryArray.from_arrays(indices, array)
    assert read_values(bound(array.slice(start))) == [text and text[:129] for text in TEXTS[start:]]


@pytest.mark.parametrize(
    "array", [repeated(LONG), repeated(pa.array([LONG], pa.string_view())), views(LONG)], ids=["0", "1", "2"]
)
def test_a_text_that_repeats_is_kept_once(array: Any) -> None:
    kept = bound(array)
    assert kept.nbytes < 100_000
    first, *others = read_values(kept)
    assert len(first) == 129
    assert all(one is first for one in others)


def test_views_of_many_pieces_of_the_same_bytes_are_too_much() -> None:
    place = [(1_000).to_bytes(4, "little") + b"xxxx" + bytes(4) + n.to_bytes(4, "little") for n in range(2_000)]
    array = pa.Array.from_buffers(pa.string_view(), 2_000, [None, pa.py_buffer(b"".join(place)), pa.py_buffer(b"x" * 3_000)])
    with pytest.raises(TooMuchText):
        bound(array)


@pytest.mark.parametrize(
    "view",
    [
        (-1, 0, 0),
        (13, 1, 0),
        (13, -1, 0),
        (13, 0, -1),
        (13, 0, 90),
        (2**31 - 1, 0, 2**31 - 1),
    ],
)
def test_views_that_lead_nowhere_are_refused(view: tuple[int, int, int]) -> None:
    length, buffer, offset = (number.to_bytes(4, "little", signed=True) for number in view)
    packed = pa.py_buffer((length + b"xxxx" + buffer + offset) * 10_000)
    array = pa.Array.from_buffers(pa.string_view(), 10_000, [None, packed, pa.py_buffer(b"x" * 100)])
    with pytest.raises(pa.ArrowInvalid):
        bound(array)


def test_offsets_that_go_back_are_refused() -> None:
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 100, 0, 100)))
    array = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"x" * 100)])
    with pytest.raises(pa.ArrowInvalid):
        bound(array)
