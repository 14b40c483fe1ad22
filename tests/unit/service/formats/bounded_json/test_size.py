"""What a JSON document costs is judged before it is parsed: with clear words, and not where somebody might mean it."""

from __future__ import annotations

import tracemalloc

import orjson
import pytest

from service.formats.bounded_json.size import FREE_CONTAINERS, FREE_VALUES, MAX_NAMES
from service.formats.json_text import load_json
from service.http.errors import TooLarge, Unprocessable

MB = 2**20


def named(count: int) -> bytes:
    return b'{"customers":[{' + b",".join(b'"name-%030d":1' % n for n in range(count)) + b"}]}"


@pytest.mark.parametrize(
    ("piece", "count", "words"),
    [
        (b"[]", FREE_CONTAINERS * 2, "objects and lists"),
        (b"{}", FREE_CONTAINERS * 2, "objects and lists"),
        (b'[["a"]]', FREE_CONTAINERS, "objects and lists"),
        (b'"a"', FREE_VALUES * 3, "values"),
        (b"1", FREE_VALUES * 2, "values"),
    ],
)
def test_more_parts_than_make_sense_are_refused_before_they_are_made(piece: bytes, count: int, words: str) -> None:
    body = b'{"customers":[' + b",".join([piece] * count) + b"]}"
    tracemalloc.start()
    with pytest.raises(TooLarge, match=rf"at most [0-9]+ {words}"):
        load_json(body)
    assert tracemalloc.get_traced_memory()[1] < MB
    tracemalloc.stop()


@pytest.mark.parametrize("names", [MAX_NAMES + 1, 10 * MAX_NAMES])
def test_an_object_of_more_names_than_any_contract_has_is_refused_before_all_are_read(names: int) -> None:
    body = named(names)
    tracemalloc.start()
    with pytest.raises(Unprocessable) as caught:
        load_json(body)
    assert tracemalloc.get_traced_memory()[1] < len(body) + 8 * MB
    tracemalloc.stop()
    assert [one.problem for one in caught.value.errors] == [f"an object has more than {MAX_NAMES} fields"]


def test_a_hundred_thousand_customers_are_read() -> None:
    body = orjson.dumps({"customers": [{"a": 1, "time": "12:30:00"}] * 100_000})
    assert len(load_json(body)["customers"]) == 100_000


def test_as_many_names_as_are_allowed_are_read() -> None:
    assert len(load_json(named(MAX_NAMES))["customers"][0]) == MAX_NAMES


def test_a_large_body_that_is_no_json_is_still_told_so() -> None:
    with pytest.raises(Unprocessable, match="1 problem"):
        load_json(b'{"customers":' + b" " * MB)
