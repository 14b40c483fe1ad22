"""The description of a trained model. Apart from the model, so that reading it imports no estimator."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from churn.config.params import ProfitParams
from churn.segments.segments import Segments


class ModelInfo(BaseModel):
    """The description of one trained model. Stored beside its artifact; GET /model returns it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    version: str = ""
    run_id: str = ""
    trained_at: datetime
    trigger: str = Field("manual", description="Why it was trained.")
    data_digest: str
    data_source: str
    simulated: bool = Field(False, description="Whether it was trained on invented customers.")
    form: str = Field(
        "", description="What the pipeline is: terms, plain, or deep (its reasons are approximate); empty: not known."
    )
    pretrained_on: int = Field(0, ge=0, description="Simulated customers that its network started from.")
    rows: int = Field(ge=0, description="Rows it was trained on, before it was fitted anew on the reserved customers too.")
    refitted_on: int = Field(
        0, ge=0, description="Rows it was fitted anew on after its evaluation, reserved ones included; 0: it was not."
    )
    evaluated_digest: str = Field("", description="SHA-256 of the file that holds it as it was evaluated; empty: there is none.")
    contract: str
    contract_digest: str
    features: list[str] = Field(description="What it reads, in order.")
    threshold: float = Field(ge=0, le=1, description="A churn probability at or above it is answered as churn.")
    profit: ProfitParams = Field(
        default_factory=ProfitParams, description="What a contact was taken to cost and to bring when its threshold was chosen."
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="Scores on the holdout.")
    params: dict[str, Any] = Field(default_factory=dict)
    git_commit: str = ""
    reference_digest: str = Field("", description="Digest of the customers that drift is measured against.")
    split_rule: str = Field("", description="Digest of the rule by which customers were kept from it; empty: not known.")
    segments: Segments | None = Field(None, description="Groups of customers by the reasons of their answers; null: not known.")
    reserved: float = Field(0, ge=0, le=1, description="Share of the customers that were kept from it.")
