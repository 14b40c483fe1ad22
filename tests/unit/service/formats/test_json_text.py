from __future__ import annotations

import pytest

from service.formats.json_text import load_json
from service.http.errors import Unprocessable


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"a": 1, "a": 2}', "a"),
        (b'{"a": {"b": 1, "b": 1}}', "b"),
        (b'{"rows": [{"a": 1}, {"a": 1, "a": 1}]}', "a"),
        (b'{"rows": [[{"x": 1, "x": 1}]]}', "x"),
        (b'{"rows": [{"a": 1}, {"a": {"y": 1, "y": 1}}]}', "y"),
        (b'{"a": "one: two", "a": 2}', "a"),
    ],
)
def test_a_key_that_is_there_twice_is_named(body: bytes, key: str) -> None:
    with pytest.raises(Unprocessable) as error:
        load_json(body)
    assert [(one.field, one.problem) for one in error.value.errors] == [(key, "The key is there twice")]


@pytest.mark.parametrize(
    "body",
    [b'{"a": "x:y:z", "b": {"c": [{"d": 1}, 2]}}', b'[{"a": {"b": 1}}, {"a": null}, []]', b'"a:b"', b'{"a": "\\":{\\"a\\":"}'],
)
def test_colons_in_texts_are_no_keys(body: bytes) -> None:
    import json

    assert load_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": Infinity}', b'"\\ud800"', b"\xef\xbb\xbf\xef\xbb\xbf{}"]
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Unprocessable) as error:
        load_json(body)
    assert error.value.errors[0].field == "body"


def test_nan_is_null_where_clients_write_it_and_only_there() -> None:
    assert load_json(b'{"a": [NaN, 1], "b": "NaN"}', nan_is_null=True) == {"a": [None, 1], "b": "NaN"}
    for body in (b'{"a": [NaN, Infinity]}', b'{"a": [NaN, -Infinity]}', b'{"a": NaN, "b": "\\ud800"}', b"[NaN" + b"[" * 100_000):
        with pytest.raises(Unprocessable):
            load_json(body, nan_is_null=True)
    with pytest.raises(Unprocessable) as error:
        load_json(b'{"a": NaN, "a": 1}', nan_is_null=True)
    assert error.value.errors[0].field == "a"


def test_numbers_beyond_64_bits_become_floats() -> None:
    digits = b"9" * 4_000
    assert load_json(b'{"a": [NaN, %s]}' % digits, nan_is_null=True) == {"a": [None, float("inf")]}
    assert load_json(b'{"a": [NaN, 123456789012345678901234567890]}', nan_is_null=True) == {"a": [None, 1.2345678901234568e29]}


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400])
def test_a_number_beyond_all_is_not_called_no_json(number: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        load_json(f'{{"a": {number}}}'.encode())
    assert caught.value.errors[0].problem == "A number that is too large to be finite at line 1 column 7"
