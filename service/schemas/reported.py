"""What is reported about one prediction or customer: the parts that outcomes and contacts have in common."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from churn.clock import CLOCK_SKEW, now
from churn.customers.customer_id import CustomerId

UUID_LENGTH = 36
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt_ ][0-9]{2}:")


class Part(BaseModel):
    """A part of a body: no field but those that are declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def without_nul(value: str) -> str:
    """Return a text as it is. Raise ValueError for NUL: PostgreSQL stores none, and all that is committed with it would fail."""
    if "\x00" in value:
        raise ValueError("must not contain NUL characters")
    return value


def _lower_case(value: str) -> str:
    # A UUID means the same in upper case (RFC 9562, section 4), in which SQL Server writes it.
    return value.lower() if len(value) == UUID_LENGTH else value


def _as_written(value: object, read: ValidatorFunctionWrapHandler) -> datetime:
    # Pydantic takes a text of digits for seconds or milliseconds since 1970: 20261129 would be a day of that year.
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        with suppress(ValidationError):
            time: datetime = read(value)
            return time
    raise ValueError("must be a date and time with a time zone, as 2026-03-31T22:00:00Z")


def _is_possible(value: datetime) -> datetime:
    if value > now() + CLOCK_SKEW:
        raise ValueError("must not be in the future")
    if value < EARLIEST:
        raise ValueError("must not be before 1970")
    return value


# In JSON Schema, beside `without_nul`. Bounds of a length stand before a validator: behind one, they speak of no text any more.
NO_NUL: dict[str, Any] = {"pattern": "^[^\\u0000]*$"}
PredictionId = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=UUID_LENGTH, json_schema_extra=NO_NUL),
    AfterValidator(without_nul),
    AfterValidator(_lower_case),
]
PastTime = Annotated[AwareDatetime, WrapValidator(_as_written), AfterValidator(_is_possible)]
# In JSON Schema: one of the two, and only one. A text of blanks names nobody.
_NOBODY = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^\\s*$"}]}
EITHER: dict[str, Any] = {
    "oneOf": [
        {"required": ["prediction_id"], "properties": {"prediction_id": {"type": "string"}, "customer_id": _NOBODY}},
        {
            "required": ["customer_id"],
            "properties": {"customer_id": {"type": ["string", "integer"], "pattern": "\\S"}, "prediction_id": {"type": "null"}},
        },
    ]
}


class Reported(Part):
    """Something about one prediction, or about one customer."""

    model_config = ConfigDict(json_schema_extra=EITHER)

    prediction_id: PredictionId | None = None
    customer_id: CustomerId = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.prediction_id is None) == (self.customer_id is None):
            raise ValueError("needs either prediction_id or customer_id")
        return self


class Reference(Part):
    """One of those that were reported: its position in the request, and the name it had there."""

    index: int = Field(ge=0)
    prediction_id: str | None = None
    customer_id: str | None = None
