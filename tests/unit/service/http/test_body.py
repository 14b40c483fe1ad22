from __future__ import annotations

import json
import time

import pytest
from pydantic import BaseModel

from churn.customers.customer_id import CustomerId
from service.http.body import parse_json, refuse_repeated_fields
from service.http.errors import Unprocessable


class Named(BaseModel):
    customer_id: CustomerId = None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_json_has_no_nan_where_a_data_frames_nan_would_name_nobody(value: str) -> None:
    with pytest.raises(Unprocessable):
        parse_json(Named, f'{{"customer_id": {value}}}'.encode())
    assert parse_json(Named, f'{{"customer_id": "{value} & sons"}}'.encode()).customer_id == f"{value} & sons"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"a": 1, "b": "c"}',
        b'{"a": "x:y", "b": 1}',
        b'{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}',
        b"[1, 2]",
        b'{"a": 1',
        b"",
        b"[" * 100_000,
    ],
)
def test_a_name_may_be_there_once_in_each_object(body: bytes) -> None:
    refuse_repeated_fields(body)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"a": 1, "a": 2}', ["a"]),
        (b'{"b": 1, "a": 1, "b": 2, "a": 1, "c": 0}', ["a", "b"]),
        (b'{"a": 1, "\\u0061": 2}', ["a"]),
        (b'{"x": [{"a": 1, "a": 1}]}', ["a"]),
        (b'{"x": {"a": 1, "a": 1}}', ["a"]),
    ],
)
def test_a_name_that_is_there_twice_is_told(body: bytes, names: list[str]) -> None:
    with pytest.raises(Unprocessable) as refused:
        refuse_repeated_fields(body)
    assert [(one.field, one.problem) for one in refused.value.errors] == [(name, "is there twice") for name in names]


def test_many_repeated_names_take_no_longer_than_many_others() -> None:
    many = json.dumps({f"name-{number}": 1 for number in range(20_000)}).encode()
    started = time.process_time()
    with pytest.raises(Unprocessable):
        refuse_repeated_fields(many[:-1] + b"," + many[1:])
    # (It took 20 s when each name was looked for among all the others.)
    assert time.process_time() - started < 5
