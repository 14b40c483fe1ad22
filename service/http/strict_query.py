"""Query parameters that a route does not know are refused: whoever asks for `?reasons=3` where there are none is told so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from service.http.errors import LISTED_ERRORS, NAME_LENGTH, FieldProblem, Unprocessable
from service.http.openapi import problems

_PLAIN = re.compile("-?[0-9]+")


def _plain(number: Any) -> Any:
    if isinstance(number, str) and _PLAIN.fullmatch(number) is None:
        raise PydanticCustomError("int_parsing", "must be a whole number, in digits")
    return number


# For a whole number of a query: digits and nothing else. (Python takes `1_0`, `+1`, `1.0` and ` 1` for numbers, too.)
# It stands behind the number's bounds: before them, they would not be in the OpenAPI document.
IN_DIGITS = BeforeValidator(_plain)


class StrictRoute(APIRoute):
    """A route that refuses query parameters that it does not know, and those that are there twice, with 422.

    For all routes but those of protocols whose clients add parameters of their own (Triton's client has an argument for them).
    Who may not ask at all is told that first.

    Parameters
    ----------
    path : str
    endpoint : callable
    **options
        See `fastapi.routing.APIRoute`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        # A router is included by making its routes once more, with what they have.
        given: Sequence[Dependency] = options.pop("dependencies", None) or []
        after = [one for one in given if one.dependency is not refuse_unknown_query]
        responses = {**problems(422), **(options.pop("responses", None) or {})}
        super().__init__(path, endpoint, dependencies=[*after, Depends(refuse_unknown_query)], responses=responses, **options)
        self.query_names = frozenset(_query_names(self.dependant))


async def refuse_unknown_query(request: Request) -> None:
    """Let a request pass only if its route knows each of its query parameters.

    Parameters
    ----------
    request : Request
        Of a `StrictRoute`.

    Raises
    ------
    Unprocessable
        Naming those that it does not know, or that are there twice; never their values.
    """
    if not request.scope["query_string"]:
        return
    known: frozenset[str] = request.scope["route"].query_names
    counted = Counter(name for name, _ in request.query_params.multi_items())
    rule = f"is no query parameter of this route ({'it has: ' + ', '.join(sorted(known)) if known else 'it has none'})"
    wrong = [(name, "is there twice" if name in known else rule) for name, n in counted.items() if name not in known or n > 1]
    if wrong:
        listed = [FieldProblem(field=name[:NAME_LENGTH] or "query", problem=problem) for name, problem in wrong[:LISTED_ERRORS]]
        raise Unprocessable(f"{len(wrong)} problem{'s' if len(wrong) > 1 else ''} found.", listed)


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for one in dependant.dependencies:
        yield from _query_names(one)
