"""Fast validation: accepts a customer that is certainly right, and leaves everything else to the request model.

The rules are those of `churn.customers`; the request model makes all errors. But it is an object a customer, with validators in
Python. Most customers are plain, and for those pydantic's core, asked for a dict and for nothing written in Python, is enough.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from churn.contract import Column, Contract
from churn.customers.cell_rule import CellRule
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.customer_id import MAX_ID_LENGTH, is_plain_id


class Checked(NamedTuple):
    """A valid customer: a value a feature in the contract's order (float, bool, text, or None where missing), and who it is."""

    values: list[Any]
    customer_id: str | None


class FastValidator:
    """Checks JSON customers of one contract."""

    def __init__(self, contract: Contract) -> None:
        self._names = tuple(contract.feature_names)
        self._flags = {column.name: _flag_meanings(column) for column in contract.features if column.kind == "flag"}
        fields = {
            column.name: core_schema.typed_dict_field(self._schema(column), required=column.required)
            for column in contract.features
        }
        fields[CUSTOMER_ID] = core_schema.typed_dict_field(
            core_schema.nullable_schema(core_schema.str_schema(strict=True, min_length=1, max_length=MAX_ID_LENGTH)),
            required=False,
        )
        self._validate = SchemaValidator(core_schema.typed_dict_schema(fields, extra_behavior="forbid")).validate_json
        self._categories = tuple(column.name for column in contract.features if column.kind == "category")
        integers = [place for place, column in enumerate(contract.features) if column.kind == "integer"]
        # (Of one place, itemgetter gives the value itself.)
        self._integers = itemgetter(*integers, integers[0]) if integers else lambda values: ()

    def read(self, body: bytes) -> Checked | None:
        """Return the customer, or None if it is not certainly right: then ask the request model."""
        try:
            customer = self._validate(body)
        except ValidationError:
            return None
        # As many colons as fields: more of them are in a text, or tell of a field that is there twice.
        if body.count(b":") != len(customer):
            return None
        customer_id = customer.pop(CUSTOMER_ID, None)
        if customer_id is not None and not is_plain_id(customer_id):
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
        for number in self._integers(values):
            if number is not None and number % 1:
                return None
        return None if values.count(None) == len(values) else Checked(values, customer_id)

    def _schema(self, column: Column) -> CoreSchema:
        schema: CoreSchema
        match column.kind:
            case "flag":
                schema = core_schema.literal_schema([True, False, *self._flags[column.name]])
            case "category":
                whole = [int(level) for level in column.levels if level.isdigit() and str(int(level)) == level]
                schema = core_schema.literal_schema([*column.levels, *whole])
            case _:
                # (Its own check of a multiple of 1 lets 3.000000001 pass.)
                schema = core_schema.float_schema(strict=True, allow_inf_nan=False, ge=column.minimum, le=column.maximum)
        return schema if column.required else core_schema.nullable_schema(schema)


def _flag_meanings(column: Column) -> dict[str | int, bool]:
    """Return what usual values of a flag mean, beside true and false."""
    rule = CellRule(column)
    levels = [text for level in (column.true_level, column.false_level) for text in (level, level.lower(), level.upper())]
    usual: list[str | int] = [1, 0, *levels, *(level.capitalize() for level in (column.true_level, column.false_level))]
    return {value: bool(rule.parse(value)) for value in usual}
