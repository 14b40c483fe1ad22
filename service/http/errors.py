"""What can be wrong with a request. `problem_details` turns each error into a response."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churn.errors import ChurnError

# How many problems a response lists.
LISTED_ERRORS = 100
# Describing an error takes a kilobyte: a million unknown fields must not take a gigabyte.
MAX_DESCRIBED_ERRORS = 100_000
# Field names in a response are cut off here.
NAME_LENGTH = 200
# How pydantic's messages begin, and those that say a rule in other words than ours.
_SHOULD = re.compile(r"^(Input|List|String) should ")
_RULES = {
    "Extra inputs are not permitted": "unknown field",
    "Field required": "is required",
    "must be a valid boolean": "must be true or false",
    "must be a valid list": "must be a list",
    "must be a valid string": "must be a text",
}


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    model_config = ConfigDict(frozen=True)

    field: str = Field(description="Where: `total_day_minutes`, or in a batch `customers.3.total_day_minutes`.")
    problem: str = Field(description="Which rule it breaks. The value is never repeated.")


class RequestProblem(ChurnError):
    """A request that cannot be answered as it is."""

    def __init__(self, detail: str, errors: Iterable[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.errors = list(errors)


class NotAuthenticated(RequestProblem):
    """The key is missing or unknown."""


class NotAllowed(RequestProblem):
    """The key is known, but lacks the scope."""


class ForeignPage(RequestProblem):
    """A browser sends the request on behalf of another site."""


class WrongHost(RequestProblem):
    """The request was sent to a host name that is not this machine's."""


class Ambiguous(RequestProblem):
    """A header that may occur once occurs twice, and readers could disagree on which one counts."""


class TooLarge(RequestProblem):
    """The body has too many bytes or rows."""


class WrongMediaType(RequestProblem):
    """The body has a media type that the route does not read."""


class Unprocessable(RequestProblem):
    """The request breaks a rule of the contract."""


class TooSlow(RequestProblem):
    """The body did not arrive in time."""


class ComeLater(RequestProblem):
    """There is too much to do at the moment.

    Parameters
    ----------
    detail : str
    retry_after : int
        Seconds after which it may be worth trying again.
    """

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooManyRequests(ComeLater):
    """One caller sends too many requests."""


class Overloaded(ComeLater):
    """All callers together send too many requests, or too large ones."""


class NotReady(RequestProblem):
    """The service cannot do its work at the moment."""


def unprocessable(error: ValidationError | RequestValidationError) -> RequestProblem:
    """Turn pydantic's errors into a problem: 413 for too many rows, otherwise 422. It repeats no value of the request."""
    if isinstance(error, ValidationError):
        if error.error_count() > MAX_DESCRIBED_ERRORS:
            few = FieldProblem(field="body", problem="too many problems to list; send less, to see them")
            return Unprocessable(f"{error.error_count()} problems found.", [few])
        found = error.errors(include_url=False, include_context=False, include_input=False)
    else:
        found = list(error.errors())
    problems = [_field_problem(one["loc"], one["msg"]) for one in found[:LISTED_ERRORS]]
    if any(one["type"] == "too_long" and len(one["loc"]) == 1 for one in found):
        return TooLarge("The request holds too many rows.", problems)
    more = f"; the first {LISTED_ERRORS} are listed" if len(found) > LISTED_ERRORS else ""
    return Unprocessable(f"{len(found)} problem{'s' if len(found) > 1 else ''} found{more}.", problems)


def rule_in(message: str) -> str:
    """Return the rule that a message of pydantic's names, in the words of all other rules.

    Parameters
    ----------
    message : str

    Returns
    -------
    str

    Examples
    --------
    >>> rule_in("Input should be a valid boolean"), rule_in("List should have at least 1 item after validation, not 0")
    ('must be true or false', 'must have at least 1 item, not 0')
    >>> rule_in("Value error, must not be in the future"), rule_in("Extra inputs are not permitted")
    ('must not be in the future', 'unknown field')
    """
    rule = _SHOULD.sub("must ", message.removeprefix("Value error, ")).replace(" after validation", "")
    return _RULES.get(rule, rule)


def _field_problem(location: tuple[Any, ...], message: str) -> FieldProblem:
    parts = location[1:] if location and location[0] in ("query", "path", "header") else location
    name = ".".join(str(part)[:NAME_LENGTH] for part in parts)
    return FieldProblem(field=name or "body", problem=rule_in(message))
