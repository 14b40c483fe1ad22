"""Numbers at the edge of what a field allows, and just beyond: from intervals as mathematics writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class Edge:
    value: float
    allowed: bool


def edges(interval: str, *, whole: bool) -> Iterator[Edge]:
    """Give what lies at, just inside and just outside the ends of an interval such as "[0, 1)"; "inf" is no end."""
    low, high = (float(end) for end in interval.strip("[]()").split(","))
    for end, closed, sign in ((low, interval[0] == "[", 1), (high, interval[-1] == "]", -1)):
        if abs(end) == float("inf"):
            yield Edge(10**12, allowed=True)
            continue
        number = int if whole else float
        inward = sign * (1 if whole else max(abs(end), 1e-3) * 1e-9)
        yield Edge(number(end), closed)
        yield Edge(number(end + inward), allowed=True)
        yield Edge(number(end - inward), allowed=False)


def check(model: type[BaseModel], name: str, interval: str, **others: int) -> None:
    """Check that a field takes just the numbers of an interval, and that no other field is said to be wrong."""
    whole = model.model_fields[name].annotation is int
    for edge in edges(interval, whole=whole):
        if edge.allowed:
            assert getattr(model.model_validate(others | {name: edge.value}), name) == edge.value
            continue
        with pytest.raises(ValidationError) as caught:
            model.model_validate(others | {name: edge.value})
        assert [error["loc"] for error in caught.value.errors()] == [(name,)], edge


def bounded(model: type[BaseModel]) -> set[str]:
    """Give the names of the fields that are numbers."""
    return {name for name, field in model.model_fields.items() if field.annotation in (int, float, float | None)}
