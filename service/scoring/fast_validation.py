"""The short way to a validated customer: accepts what is certainly right, and leaves everything else to the request model.

The request model has the last word on what is valid, and makes all errors. But it is an object a customer, with validators in
Python. Most customers are plain, and for those pydantic's core, asked for a dict and for nothing written in Python, is enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from churn.contract import Column, Contract

MAX_ID_LENGTH = 128


class Checked(NamedTuple):
    """A valid customer: a value a feature in the contract's order (float, bool, text, or None where missing), and who it is."""

    values: list[Any]
    customer_id: str | None


class FastValidator:
    """Checks JSON customers of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._names = tuple(contract.feature_names)
        fields = {
            column.name: core_schema.typed_dict_field(_schema(column), required=_required(column)) for column in contract.features
        }
        fields["customer_id"] = core_schema.typed_dict_field(
            core_schema.nullable_schema(core_schema.str_schema(strict=True, min_length=1, max_length=MAX_ID_LENGTH)),
            required=False,
        )
        self._validate = SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="forbid")).validate_json
        self._flags = {column.name: _meanings(column) for column in contract.features if column.kind == "flag"}
        self._categories = tuple(column.name for column in contract.features if column.kind == "category")

    def read(self, body: bytes) -> Checked | None:
        """Give the customer, or None if it is not certainly right: then ask the request model."""
        try:
            customer = self._validate(body)
        except ValidationError:
            return None
        # As many colons as fields: more of them are in a text, or tell of a field that is there twice.
        if body.count(b":") != len(customer):
            return None
        customer_id = customer.pop("customer_id", None)
        if customer_id is not None and not customer_id.isprintable():
            return None
        for name, meanings in self._flags.items():
            value = customer.get(name)
            if value is not None and value is not True and value is not False:
                customer[name] = meanings[value]
        for name in self._categories:
            value = customer.get(name)
            if type(value) is int:
                customer[name] = str(value)
        values = list(map(customer.get, self._names))
        return None if values.count(None) == len(values) else Checked(values, customer_id)


def _required(column: Column) -> bool:
    return not (column.nullable or column.kind in ("number", "integer"))


def _schema(column: Column) -> CoreSchema:
    schema: CoreSchema
    match column.kind:
        case "flag":
            schema = core_schema.literal_schema([True, False, *_meanings(column)])
        case "category":
            whole = [int(level) for level in column.levels if level.isdigit() and str(int(level)) == level]
            schema = core_schema.literal_schema([*column.levels, *whole])
        case _:
            schema = core_schema.float_schema(
                strict=True,
                allow_inf_nan=False,
                ge=column.minimum,
                le=column.maximum,
                multiple_of=1.0 if column.kind == "integer" else None,
            )
    return schema if _required(column) else core_schema.nullable_schema(schema)


def _meanings(column: Column) -> dict[str | int, bool]:
    """Give what the usual spellings of a flag mean, beside true and false."""
    meanings: dict[str | int, bool] = {1: True, 0: False}
    for level, meaning in ((column.true_level, True), (column.false_level, False)):
        meanings |= dict.fromkeys((level, level.lower(), level.upper(), level.capitalize()), meaning)
    return meanings
