"""The request model that the contract describes: what one customer may look like in JSON."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model, model_validator

from churn.contract import Column, Contract


def _some_value(schema: dict[str, Any]) -> None:
    """Say in JSON Schema that not all features may be missing."""
    schema["not"] = {"properties": {name: {"type": "null"} for name in schema["properties"] if name != "customer_id"}}


class CustomerBase(BaseModel):
    """A customer whose fields are the contract's features. Unknown fields are refused; values may be null or absent."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        frozen=True,
        json_schema_extra=lambda schema: _some_value(schema),  # noqa: PLW0108 -- it is defined below
    )

    # No control characters: PostgreSQL stores no NUL, and a line break in an id breaks logs and CSV files.
    customer_id: Annotated[str, Field(strict=True, min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> CustomerBase:
        if all(value is None for value in self.features().values()):
            raise ValueError("empty customer: at least one feature needs a value")
        return self

    def features(self) -> dict[str, Any]:
        """The contract's features, by name; flags are booleans, missing values None."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "customer_id"}


def request_model(contract: Contract) -> type[CustomerBase]:
    """Derive the pydantic model of one customer from the contract.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> Customer = request_model(load_contract())
    >>> Customer(total_day_minutes=180.5, international_plan="Yes", area_code=415).features()["area_code"]
    '415'
    """
    fields: dict[str, Any] = {}
    for column in contract.features:
        # A number may always be missing: imputing it is the pipeline's work. Others follow `nullable`.
        annotation = _annotation(column)
        if column.nullable or column.kind in ("number", "integer"):
            fields[column.name] = (annotation | None, Field(None, description=_describe(column)))
        else:
            fields[column.name] = (annotation, Field(description=_describe(column)))
    return create_model("Customer", __base__=CustomerBase, __doc__=contract.description or CustomerBase.__doc__, **fields)


def _describe(column: Column) -> str:
    return f"{column.description} Unit: {column.unit}." if column.unit else column.description


def _annotation(column: Column) -> Any:
    match column.kind:
        case "flag":
            return Annotated[
                bool,
                BeforeValidator(partial(_flag, column=column)),
                WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": [column.true_level, column.false_level, 0, 1]}]}),
            ]
        case "category":
            levels: Any = Literal[column.levels]
            whole = [int(level) for level in column.levels if level.isdigit() and str(int(level)) == level]
            return Annotated[
                levels,
                BeforeValidator(_level),
                WithJsonSchema({"enum": [*column.levels, *whole]}),
            ]
        case "integer":
            return Annotated[float, Field(strict=True, ge=column.minimum, le=column.maximum, multiple_of=1)]
        case "number":
            return Annotated[float, Field(strict=True, ge=column.minimum, le=column.maximum)]


def _flag(value: Any, *, column: Column) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.casefold() in (column.true_level.casefold(), column.false_level.casefold()):
        return value.casefold() == column.true_level.casefold()
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ValueError(f"must be true, false, {column.true_level!r} or {column.false_level!r}")


def _level(value: Any) -> Any:
    # A level that looks like a number (an area code) may be sent as one.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
