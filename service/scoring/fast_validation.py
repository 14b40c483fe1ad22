"""Fast validation: accepts a customer that is certainly right, and leaves everything else to the request model.

The rules are those of `churn.customers`; the request model makes all errors. But it is an object a customer, with validators in
Python. Most customers are plain, and for those a decoder that knows types, bounds and levels, and no Python of ours, is enough.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from churn.contract import Column, Contract
from churn.customers.cell_rule import MAX_NUMBER, CellRule
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.customer_id import MAX_ID_LENGTH, is_plain_id

UNSET = msgspec.UNSET


class Checked(NamedTuple):
    """A valid customer: a value a feature in the contract's order (float, bool, text, or None where missing), and who it is."""

    values: list[Any]
    customer_id: str | None


class FastValidator:
    """Checks JSON customers of one contract."""

    def __init__(self, contract: Contract) -> None:
        places = dict(enumerate(contract.features))
        # What a number or text stands for, in columns where it is not taken as it is.
        self._meanings = [(place, meanings) for place, column in places.items() if (meanings := _meanings(column))]
        self._nothing = [None] * len(places)
        # Numbered, as a column may be called by a word of Python's.
        names = {f"f{place}": column.name for place, column in places.items()}
        fields: list[Any] = [
            (f"f{place}", _field_type(column), msgspec.NODEFAULT if column.required else UNSET)
            for place, column in places.items()
        ]
        plain_text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
        fields.append((CUSTOMER_ID, plain_text | None | msgspec.UnsetType, UNSET))
        customer = msgspec.defstruct(
            "Customer", fields, rename=names.get, forbid_unknown_fields=True, kw_only=True, frozen=True, gc=False
        )
        self._decode = msgspec.json.Decoder(customer).decode

    def read(self, body: bytes) -> Checked | None:
        """Return the customer, or None if it is not certainly right: then ask the request model."""
        try:
            values: list[Any] = list(msgspec.structs.astuple(self._decode(body)))
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        customer_id = values.pop()
        fields = len(values) - values.count(UNSET)
        if fields < len(values):
            values = [None if value is UNSET else value for value in values]
        if customer_id is UNSET:
            customer_id = None
        else:
            fields += 1
            if customer_id is not None and not is_plain_id(customer_id):
                return None
        # As many colons as fields: more of them are in a text, or tell of a field that is there twice.
        if body.count(b":") != fields:
            return None
        for place, meanings in self._meanings:
            value = values[place]
            if value is not None:
                values[place] = meant = meanings.get(value)
                if meant is None:
                    return None
        return None if values == self._nothing else Checked(values, customer_id)


def _field_type(column: Column) -> Any:
    kind: Any
    match column.kind:
        case "flag":
            kind = bool | float | Literal[tuple(value for value in _meanings(column) if isinstance(value, str))]
        case "category":
            kind = Literal[column.levels]
            if _meanings(column):
                kind = kind | float
        case _:
            step = 1 if column.kind == "integer" else None
            low = -MAX_NUMBER if column.minimum is None else column.minimum
            high = MAX_NUMBER if column.maximum is None else column.maximum
            kind = Annotated[float, msgspec.Meta(ge=low, le=high, multiple_of=step)]
    return kind if column.required else kind | None | msgspec.UnsetType


def _meanings(column: Column) -> dict[str | float, Any]:
    """Return what usual values stand for; empty if each is taken as it is. (True and 1.0 are found under 1.)"""
    if column.kind == "category":
        whole: dict[str | float, Any] = {
            int(level): level for level in column.levels if level.isdigit() and str(int(level)) == level
        }
        return {**whole, **{level: level for level in column.levels}} if whole else {}
    if column.kind != "flag":
        return {}
    rule = CellRule(column)
    levels = [text for level in (column.true_level, column.false_level) for text in (level, level.lower(), level.upper())]
    usual: list[str | float] = [1, 0, *levels, *(level.capitalize() for level in (column.true_level, column.false_level))]
    return {value: bool(rule.parse(value)) for value in usual}
