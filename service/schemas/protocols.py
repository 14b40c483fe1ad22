"""Bodies of the protocols that others defined: MLflow's scoring, and the Open Inference Protocol V2."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr


class _Part(BaseModel):
    # What a newer version of a protocol adds does not matter here.
    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


# Clients that are generated from a schema send every optional field, null where it is not set: null is as absent.
def _without_nulls(parameters: Any) -> Any:
    if isinstance(parameters, dict):
        return {name: one for name, one in parameters.items() if one is not None}
    return {} if parameters is None else parameters


Parameters = Annotated[dict[str, Any], BeforeValidator(_without_nulls, json_schema_input_type=dict[str, Any] | None)]


class InvocationsRequest(_Part):
    """Customers as MLflow's clients send them: exactly one of the four; `params` change nothing."""

    dataframe_split: dict[str, Any] | None = Field(
        None, description="`columns`, `data` (rows) and an unused `index`; without `columns` those of the model's signature."
    )
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = Field(None, description="Objects, or rows in the order of the model's signature.")
    inputs: dict[str, Any] | list[Any] | None = Field(None, description="An object of columns, or as `instances`.")
    params: dict[str, Any] | None = None


class InvocationsAnswer(_Part):
    """As MLflow answers, and with the answers' names in the log."""

    predictions: list[list[float]] = Field(description="The probabilities of staying and of leaving, a pair a customer.")
    prediction_ids: list[str] = Field(description="UUIDv7. Report outcomes with them.")
    model_version: str


Shape = Annotated[list[Annotated[StrictInt, Field(ge=0, le=2**31 - 1)]], Field(min_length=1, max_length=2)]


class InferInput(_Part):
    """One tensor: a column of customers, or all numbers of all customers."""

    name: StrictStr = Field(max_length=200)
    shape: Shape
    datatype: StrictStr = Field(max_length=20)
    parameters: Parameters = {}
    data: Any = None


class InferOutput(_Part):
    """One tensor that is asked for."""

    name: StrictStr = Field(max_length=200)
    parameters: Parameters = {}


class InferRequest(_Part):
    """An inference request."""

    id: StrictStr | None = Field(None, max_length=200)
    parameters: Parameters = {}
    inputs: list[InferInput] = Field(min_length=1, max_length=10_000)
    outputs: Annotated[
        list[InferOutput],
        Field(max_length=100),
        BeforeValidator(lambda outputs: [] if outputs is None else outputs, json_schema_input_type=list[InferOutput] | None),
    ] = []


class TensorAnswer(_Part):
    """One tensor of an answer."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferAnswer(_Part):
    """An inference's answer."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[TensorAnswer]


class TensorMetadata(_Part):
    """What a tensor is like."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(_Part):
    """What a model reads and answers."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, Any] = Field(description="`tensor_columns`: what a single tensor of numbers holds, in order.")


class ServerMetadata(_Part):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class LiveAnswer(_Part):
    """The process is alive."""

    live: StrictBool = True


class ServerReadyAnswer(_Part):
    """Predictions can be answered."""

    ready: StrictBool = True


class ModelReadyAnswer(_Part):
    """The model is in service."""

    name: str
    ready: StrictBool = True
