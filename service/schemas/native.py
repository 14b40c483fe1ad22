"""What goes in and comes out over HTTP. The customer's own fields come from the contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, ValidationInfo, create_model, field_validator, model_validator

from churn.contract import Contract
from churn.customers.customer import CustomerBase, request_model
from churn.modeling.model_info import ModelInfo
from churn.store.records import Outcome
from service.schemas.reported import EITHER, NO_NUL, Part, PastTime, Reference, Reported, without_nul


class Reason(Part):
    """How one feature moved the answer."""

    feature: str = Field(description="Its name in the contract.")
    value: float | bool | str | None = Field(description="As it was sent; null where it was missing.")
    contribution: float = Field(description="In log-odds: above 0 it raises the risk.")
    text: str = Field(description="The reason as a sentence.")


class PredictionAnswer(Part):
    """One customer's churn probability, as it stands in the log."""

    prediction_id: str = Field(description="UUIDv7. Report the outcome with it.")
    customer_id: str | None = Field(description="As it was sent; null where nobody was named.")
    churn_probability: float = Field(ge=0, le=1, description="How likely the customer is to leave.")
    churn: bool = Field(description="Whether the probability is at or above the threshold.")
    action: Literal["contact", "hold_out", "none"] = Field(
        description="What is to be done. `hold_out`: would be contacted, but belongs to the control group (CHURN_CONTROL_SHARE)."
    )
    threshold: float = Field(ge=0, le=1, description="From this probability on, `churn` is true.")
    model_version: str = Field(description="Which version of the model answered.")
    segment: str | None = Field(
        None, description="With `?segment=true` only: the group that the customer belongs to, by the reasons of the answer."
    )
    base_value: float | None = Field(
        None,
        description="With `reasons` only: the log-odds of an average customer. With all contributions it adds up to the logit.",
    )
    reasons: list[Reason] | None = Field(None, description="With `?reasons=k` only: the k strongest, strongest first.")
    approximate: bool | None = Field(
        None, description="With `reasons` only, and true: contributions are estimates, as those of a neural network are."
    )


class BatchAnswer(Part):
    """All customers of a batch, in its order, by one model."""

    model_version: str = Field(description="Which version of the model answered.")
    predictions: list[PredictionAnswer] = Field(description="One a customer, in the order of the request.")


class BatchRequest(Part):
    """Customers to score together: all, or none if one breaks a rule."""

    customers: list[Any]


@dataclass(frozen=True)
class RequestModels:
    """The models of the bodies that hold customers."""

    customer: type[CustomerBase]
    batch: type[BatchRequest]

    @classmethod
    def from_contract(cls, contract: Contract, max_rows: int) -> Self:
        """Derive them from the contract.

        Parameters
        ----------
        contract : Contract
        max_rows : int
            Customers in one batch, at least 1.
        """
        customer = request_model(contract)
        rows: Any = Annotated[list[customer], Field(min_length=1, max_length=max_rows)]  # type: ignore[valid-type]
        batch = create_model("BatchRequest", __base__=BatchRequest, __doc__=BatchRequest.__doc__, customers=(rows, ...))
        return cls(customer, batch)


_NAMED: dict[str, Any] = {"prediction_id": {"type": "string"}, "observed_at": {"type": "string"}}
# In JSON Schema: what was wrong is named, and when that was found; who withdraws says no more, all others say what came true.
_REVISES: dict[str, Any] = {
    "if": {"properties": {"withdrawn": {"const": True}}, "required": ["withdrawn"]},
    "then": {
        "properties": {"churned": {"type": "null"}, "corrects": {"not": {"const": True}}} | _NAMED,
        "required": list(_NAMED),
    },
    "else": {
        "properties": {"churned": {"type": "boolean"}},
        "required": ["churned"],
        "if": {"properties": {"corrects": {"const": True}}, "required": ["corrects"]},
        "then": {"properties": _NAMED, "required": list(_NAMED)},
    },
}


class OutcomeItem(Reported):
    """What came true for one prediction: the one named, or the customer's newest one asked for at or before `observed_at`."""

    model_config = ConfigDict(json_schema_extra=EITHER | _REVISES)

    corrects: StrictBool | None = Field(
        None, description="true: takes the place of an outcome that was wrong, and was observed earlier."
    )
    withdrawn: StrictBool | None = Field(
        None, description="true: takes back an outcome that was observed earlier; nothing is known then."
    )
    churned: StrictBool | None = Field(None, validate_default=True, description="Left out where an outcome is withdrawn.")
    observed_at: PastTime | None = Field(None, description="With a time zone (RFC 3339); now, if absent.")

    @field_validator("churned")
    @classmethod
    def _is_said(cls, churned: bool | None, info: ValidationInfo) -> bool | None:
        if churned is None and not info.data.get("withdrawn"):
            raise ValueError("is required: true or false")
        if churned is not None and info.data.get("withdrawn"):
            raise ValueError("must be left out, as the outcome is withdrawn")
        return churned

    @model_validator(mode="after")
    def _says_what_was_wrong(self) -> Self:
        if self.corrects and self.withdrawn:
            raise ValueError("either corrects an outcome or is withdrawn, not both")
        # By customer it would be another prediction by now, and without a time a repeated request would be the latest word.
        if (self.corrects or self.withdrawn) and (self.prediction_id is None or self.observed_at is None):
            raise ValueError("needs prediction_id and observed_at, as it takes the place of an outcome that was wrong")
        return self

    def to_outcome(self, received_at: datetime) -> Outcome:
        """Return the record. Without a stated time, it was observed when it was received."""
        observed_at = self.observed_at or received_at
        revises = {"corrects": bool(self.corrects), "withdrawn": bool(self.withdrawn)}
        return Outcome(bool(self.churned), observed_at, self.prediction_id, self.customer_id, **revises)


class OutcomesRequest(Part):
    """What came true. Sending it again changes nothing."""

    outcomes: list[OutcomeItem] = Field(min_length=1)


class OutcomesAnswer(Part):
    """What became of the outcomes."""

    accepted: int = Field(description="Stored now.")
    duplicates: int = Field(description="Known before, with the same result.")
    unknown: list[Reference] = Field(description="No such prediction.")
    conflicting: list[Reference] = Field(
        description="Another result is known already; it stays. Of a correction: one that was observed no earlier."
    )
    corrected: int = Field(0, description="Corrections and withdrawals that were stored now.")


class ModelAnswer(ModelInfo):
    """The model in service."""

    aliases: list[str] = Field(description="The names the registry gives this version, as far as is known.")
    loaded_at: datetime = Field(description="When this worker began to answer with it.")
    loaded_from: Literal["registry", "disk"] = Field(description="`disk`: the last known good model; the registry was away.")
    path: Literal["compiled", "pipeline"] = Field(
        description="Whether answers come from the compiled model or from its pipeline."
    )


class ReloadAnswer(Part):
    """What /admin/reload did."""

    result: Literal["loaded", "unchanged"] = Field(description="`unchanged`: the champion was in service already.")
    model_version: str = Field(description="Serves from now on.")


class RollbackBody(Part):
    """Why the model in service is left, and which one is meant."""

    reason: Annotated[
        str, Field(strict=True, min_length=1, max_length=2_000, json_schema_extra=NO_NUL), AfterValidator(without_nul)
    ]
    leaving: Annotated[str, Field(strict=True, min_length=1, max_length=100)] | None = Field(
        None, description="The version to leave: nothing is done (409) if another one serves. Default: the one that serves."
    )


class RollbackAnswer(Part):
    """What /admin/rollback did."""

    model_version: str = Field(description="Serves from now on.")
    replaced: str = Field(description="Does not serve any more.")
    recorded: bool = Field(description="Whether registry and history have it already; else they get it when they can be reached.")


class FailuresAnswer(Part):
    """Requests that were refused lately."""

    failures: list[dict[str, Any]] = Field(
        description="Newest first: at, request_id, method, route, status, problem, errors, body_bytes, model_version."
    )


class HealthAnswer(Part):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class ReadyAnswer(Part):
    """A model is loaded and the log can be written."""

    status: Literal["ready"] = "ready"
    model_version: str = Field(description="Which version of the model answers.")
    log: Literal["store", "spool"] = Field(description="Where predictions are logged; `spool`: on disk, until the store is back.")
