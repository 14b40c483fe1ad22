"""Read lists that are reported: in slices, so that a hundred thousand wrong items cost no more than a slice of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from service.formats.validation import MAX_COUNTED_PROBLEMS, described, raise_problems
from service.http.errors import LISTED_ERRORS, FieldProblem
from service.schemas.reported import Reported

Item = TypeVar("Item", bound=Reported)
# Items of a slice, and fields of all of them together: each may be a problem, which takes a kilobyte.
SLICE_ITEMS, SLICE_FIELDS = 1_000, 5_000


def read_items(given: Iterable[Any], model: type[Item], name: str) -> Iterator[Item]:
    """Validate the items of a list.

    Parameters
    ----------
    given : iterable
        Values as JSON has them.
    model : type
        Of an item.
    name : str
        Of the list, for errors.

    Yields
    ------
    Item
        Each that is valid, as long as all are.

    Raises
    ------
    Unprocessable
        At the end, if some are not: the first hundred problems are listed, and ten thousand are counted.
    """
    problems: list[FieldProblem] = []
    start = found = 0
    for part in _slices(given):
        try:
            # (As JSON, not as Python's values: a time is a text there.)
            items = _adapter(model).validate_json(orjson.dumps(part))
        except ValidationError as error:
            found += error.error_count()
            if len(problems) < LISTED_ERRORS:
                problems += described(error, name, start)
        else:
            if not found:
                yield from items
        start += len(part)
        if found > MAX_COUNTED_PROBLEMS:
            break
    raise_problems(problems, found)


def _slices(given: Iterable[Any]) -> Iterator[list[Any]]:
    part: list[Any] = []
    fields = 0
    for one in given:
        size = len(one) if isinstance(one, dict) else 1
        if part and (len(part) >= SLICE_ITEMS or fields + size > SLICE_FIELDS):
            yield part
            part, fields = [], 0
        part.append(_without_nested(one))
        fields += size
    if part:
        yield part


def _without_nested(one: Any) -> Any:
    """Return an item in which lists and objects are empty: no field may be one, and what it holds would only take time."""
    if type(one) is not dict:
        return [] if type(one) is list else one
    if not any(type(value) in (list, dict) for value in one.values()):
        return one
    return {name: type(value)() if type(value) in (list, dict) else value for name, value in one.items()}


@lru_cache(maxsize=8)
def _adapter(model: type[Item]) -> TypeAdapter[list[Item]]:
    return cast("TypeAdapter[list[Item]]", TypeAdapter(list[model]))  # type: ignore[valid-type]
