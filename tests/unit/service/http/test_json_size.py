"""What a JSON document costs is judged before it is parsed: with clear words, and not where somebody might mean it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ConfigDict

from service.formats.json_text import load_json
from service.http.body import parse_json
from service.http.errors import TooLarge, Unprocessable
from service.http.json_size import MAX_CONTAINERS, MAX_NAMES

MB = 2**20


class Anything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    customers: list[dict[str, Any]] = []


def readers() -> list[Any]:
    return [load_json, lambda body: parse_json(Anything, body)]


def named(count: int) -> bytes:
    return b'{"customers":[{' + b",".join(b'"name-%030d":1' % n for n in range(count)) + b"}]}"


@pytest.mark.parametrize("read", readers())
@pytest.mark.parametrize("piece", [b"[]", b"{}", b'[["a"]]'])
def test_more_lists_and_objects_than_make_sense_are_refused_before_they_are_made(read: Any, piece: bytes) -> None:
    body = b'{"customers":[' + b",".join([piece] * MAX_CONTAINERS) + b"]}"
    tracemalloc.start()
    with pytest.raises(TooLarge, match=f"at most {MAX_CONTAINERS} objects and lists"):
        read(body)
    assert tracemalloc.get_traced_memory()[1] < MB
    tracemalloc.stop()


@pytest.mark.parametrize("read", readers())
def test_an_object_of_more_names_than_any_contract_has_is_refused_with_one_problem(read: Any) -> None:
    with pytest.raises(Unprocessable) as caught:
        read(named(MAX_NAMES + 1))
    assert [one.problem for one in caught.value.errors] == [f"an object has {MAX_NAMES + 1} fields; {MAX_NAMES} are the most"]


@pytest.mark.parametrize("read", readers())
def test_a_hundred_thousand_customers_are_read(read: Any) -> None:
    body = orjson.dumps({"customers": [{"a": 1, "time": "12:30:00"}] * 100_000})
    assert read(body) is not None


def test_as_many_names_as_are_allowed_are_read() -> None:
    assert len(load_json(named(MAX_NAMES))["customers"][0]) == MAX_NAMES


@pytest.mark.parametrize("read", readers())
def test_a_large_body_that_is_no_json_is_still_told_so(read: Any) -> None:
    with pytest.raises(Unprocessable, match="1 problem"):
        read(b'{"customers":' + b" " * MB)
