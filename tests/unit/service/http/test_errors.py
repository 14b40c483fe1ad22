from __future__ import annotations

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.http import errors as module
from service.http.errors import (
    LISTED_ERRORS,
    NAME_LENGTH,
    ComeLater,
    FieldProblem,
    RequestProblem,
    TooLarge,
    Unprocessable,
    unprocessable,
)


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rows: list[int] = Field(max_length=3)


def error_of(body: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Body.model_validate(body)
    return caught.value


def test_each_problem_names_its_field_and_never_the_value() -> None:
    found = unprocessable(error_of({"rows": [1, "secret"], "other": 1}))
    assert type(found) is Unprocessable
    assert str(found) == "2 problems found."
    assert [one.field for one in found.errors] == ["rows.1", "other"]
    assert "secret" not in str([one.problem for one in found.errors])
    assert str(unprocessable(error_of({}))) == "1 problem found."


def test_too_many_rows_are_another_problem_but_only_in_the_list_itself() -> None:
    assert type(unprocessable(error_of({"rows": [1, 2, 3, 4]}))) is TooLarge
    nested = RequestValidationError([{"type": "too_long", "loc": ("body", "rows"), "msg": "x"}])
    assert type(unprocessable(nested)) is Unprocessable


def test_the_first_hundred_are_listed_and_all_counted() -> None:
    found = unprocessable(error_of({"rows": [], **{f"x{n}": 1 for n in range(LISTED_ERRORS + 1)}}))
    assert str(found) == "101 problems found; the first 100 are listed."
    assert len(found.errors) == 100
    exact = unprocessable(error_of({"rows": [], **{f"x{n}": 1 for n in range(LISTED_ERRORS)}}))
    assert str(exact) == "100 problems found."


def test_too_many_to_describe_are_counted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    error = error_of({f"x{n}": 1 for n in range(4)})
    monkeypatch.setattr(module, "MAX_DESCRIBED_ERRORS", 5)
    assert len(unprocessable(error).errors) == 5
    monkeypatch.setattr(module, "MAX_DESCRIBED_ERRORS", 4)
    found = unprocessable(error)
    assert str(found) == "5 problems found."
    assert [(one.field, one.problem) for one in found.errors] == [("body", "too many problems to list; send less, to see them")]


@pytest.mark.parametrize(
    ("location", "field"),
    [
        (("query", "reasons"), "reasons"),
        (("path", "name"), "name"),
        (("header", "x"), "x"),
        (("body", "a", 3), "body.a.3"),
        (("customers", 3, "x" * 300), f"customers.3.{'x' * NAME_LENGTH}"),
        ((), "body"),
        (("query",), "body"),
    ],
)
def test_where_a_problem_is(location: tuple[object, ...], field: str) -> None:
    error = RequestValidationError([{"type": "value_error", "loc": location, "msg": "Value error, must be good"}])
    (found,) = unprocessable(error).errors
    assert (found.field, found.problem) == (field, "must be good")


def test_a_problem_keeps_its_list_and_its_delay() -> None:
    problem = FieldProblem(field="a", problem="b")
    assert RequestProblem("x", iter([problem])).errors == [problem]
    assert (RequestProblem("x").errors, ComeLater("x").retry_after, ComeLater("x", 7).retry_after) == ([], 1, 7)
    with pytest.raises(ValidationError):
        problem.field = "c"
