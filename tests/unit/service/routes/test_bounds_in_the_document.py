"""The bounds of what is sent are in the OpenAPI document in the words of JSON Schema, also behind a validator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.app import ServiceApp

# As pydantic writes bounds that it could not give to the type itself: nobody else knows these words.
PYDANTICS_OWN = {"ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length"}


def keys_of(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            # (The names of columns and fields are keys, too, but none of these words.)
            yield key
            yield from keys_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from keys_of(value)


def test_no_bound_is_in_words_that_only_pydantic_knows(app: ServiceApp) -> None:
    found = set(keys_of(app.openapi()))
    assert not PYDANTICS_OWN & found
    assert {"minimum", "maximum", "minLength", "maxLength"} <= found
