"""The request model that the contract describes: what one customer may look like in JSON, and the verdict on one customer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, WithJsonSchema, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from churn.contract import Column, Contract
from churn.customers.cell_rule import MUST_NOT_BE_MISSING, CellRule
from churn.customers.column_names import CUSTOMER_ID, NOT_READ, ColumnNames, given_twice
from churn.customers.customer_id import CustomerId, read_id

EMPTY_CUSTOMER = "empty customer: at least one feature needs a value"
# So many unknown names of a customer are compared with the known ones.
SUGGESTIONS = 3
# A validation context that asks for no suggestions: they take up to a millisecond each.
WITHOUT_SUGGESTIONS = {"suggest": False}
_NOTHING = {"enum": ["", None]}


def _some_value(schema: dict[str, Any]) -> None:
    """Say in JSON Schema that not all features may be missing."""
    schema["not"] = {"properties": {name: _NOTHING for name in schema["properties"] if name != CUSTOMER_ID}}


class CustomerBase(BaseModel):
    """A customer whose fields are the contract's features. Unknown fields are refused; values may be null or absent."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra=lambda schema: _some_value(schema),  # noqa: PLW0108 -- it is defined below
    )

    customer_id: CustomerId = None

    @model_validator(mode="after")
    def _not_empty(self) -> CustomerBase:
        if all(value is None for value in self.features().values()):
            raise ValueError(EMPTY_CUSTOMER)
        return self

    def features(self) -> dict[str, Any]:
        """Return the contract's features, by name; flags are booleans, missing values None."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != CUSTOMER_ID}


def request_model(contract: Contract) -> type[CustomerBase]:
    """Derive the pydantic model of one customer from the contract.

    Fields may be named as in the contract or as in its source. What a value means is decided by `CellRule`.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> Customer = request_model(load_contract())
    >>> customer = Customer.model_validate({"Total day minutes": 180.5, "international_plan": "Yes", "area_code": 415.0})
    >>> customer.features()["area_code"]
    '415'
    """
    fields: dict[str, Any] = {}
    for column in contract.features:
        annotation = Annotated[Any, WithJsonSchema(_json_schema(column))]
        description = _describe(column)
        fields[column.name] = (
            annotation,
            Field(description=description) if column.required else Field(None, description=description),
        )
    reader = _RecordReader(contract)

    def read(record: Any, info: ValidationInfo) -> Any:
        suggest = not isinstance(info.context, dict) or info.context.get("suggest", True)
        return reader.read(record, suggest=suggest) if isinstance(record, dict) else record

    validators = cast(dict[str, Any], {"read_record": model_validator(mode="before")(read)})
    doc = contract.description or CustomerBase.__doc__
    return create_model("Customer", __base__=CustomerBase, __doc__=doc, __validators__=validators, **fields)


class _RecordReader:
    """Reads one customer as JSON has it: a value a name."""

    def __init__(self, contract: Contract) -> None:
        self._names = ColumnNames(contract)
        self._read: dict[str, Callable[[Any], Any]] = {column.name: CellRule(column).read for column in contract.features}
        self._read[CUSTOMER_ID] = read_id
        self._places: dict[int | str, int] = {name: place for place, name in enumerate((CUSTOMER_ID, *contract.feature_names))}
        self._required = [column.name for column in contract.features if column.required]

    def read(self, record: dict[Any, Any], *, suggest: bool) -> dict[str, Any]:
        """Return the values by the contract's names.

        Raises
        ------
        ValidationError
            With every broken rule.
        """
        values: dict[str, Any] = {}
        wrong: list[InitErrorDetails] = []
        given: dict[str, str] = {}
        unknown = 0
        for name, cell in record.items():
            meaning = self._names.find(name) if isinstance(name, str) else None
            if meaning is None:
                unknown += 1
                wrong.append(_error(str(name), self._names.unknown(str(name), suggest=suggest and unknown <= SUGGESTIONS)))
            elif meaning == NOT_READ:
                continue
            elif meaning in given:
                wrong.append(_error(meaning, given_twice(given[meaning], name)))
            else:
                given[meaning] = name
                try:
                    values[meaning] = self._read[meaning](cell)
                except ValueError as error:
                    wrong.append(_error(meaning, str(error)))
        wrong += [_error(name, MUST_NOT_BE_MISSING) for name in self._required if name not in given]
        if wrong:
            # In the contract's order, whatever order the fields came in; unknown ones are last.
            wrong.sort(key=lambda error: self._places.get(error["loc"][0], len(self._places)))
            raise ValidationError.from_exception_data("Customer", wrong)
        return values


def _error(name: str, rule: str) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("contract", "{rule}", {"rule": rule}), loc=(name,), input=None)


def _describe(column: Column) -> str:
    unit = f" Unit: {column.unit}." if column.unit else ""
    source = f" May also be named `{column.source}`." if column.source != column.name else ""
    return f"{column.description}{unit}{source}".strip()


def _json_schema(column: Column) -> dict[str, Any]:
    """Describe a field's values. A number may come as text: `format: number` is no format of JSON Schema's own."""
    allowed: list[dict[str, Any]]
    match column.kind:
        case "flag":
            allowed = [{"type": "boolean"}, {"enum": [column.true_level, column.false_level, 0, 1]}]
        case "category":
            whole = [int(level) for level in column.levels if level.isdigit() and str(int(level)) == level]
            allowed = [{"enum": [*column.levels, *whole]}]
        case _:
            number: dict[str, Any] = {"type": "number"}
            number |= {} if column.minimum is None else {"minimum": column.minimum}
            number |= {} if column.maximum is None else {"maximum": column.maximum}
            number |= {"multipleOf": 1} if column.kind == "integer" else {}
            text: dict[str, Any] = {"type": "string", "minLength": 1}
            written = column.number_format
            text |= {"format": "number"} if written is None else {"description": f"Written as {written.example}."}
            allowed = [number, text]
    return {"anyOf": allowed if column.required else [*allowed, {"const": ""}, {"type": "null"}]}
