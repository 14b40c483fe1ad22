"""What comes out at POST /campaign/candidates."""

from __future__ import annotations

from pydantic import Field

from service.schemas.reported import Part


class Candidate(Part):
    """A customer who is worth a call."""

    index: int = Field(description="Place among the rows that were sent, from 0.")
    customer_id: str
    churn_probability: float = Field(ge=0, le=1)
    value: float = Field(description="Of the customer who stays.")
    expected_gain: float = Field(description="Above 0: what a call should bring beyond its cost. The list is ranked by it.")
    expected_saved: float = Field(ge=0, le=1)
    expected_cost: float = Field(description="Of the call and of the offer.")
    reasons: list[str] = Field(description="What raises the risk, strongest first.")
    segment: str | None = Field(
        None, description="The group that the customer belongs to, by the reasons of the answer; absent if the model knows none."
    )
    line: str = Field(description="The customer's line of a list in CSV, but for its rank.")


class LeftOut(Part):
    """Customers who would be worth a call and are left alone."""

    control_group: int
    opted_out: int
    contacted_lately: int


class CandidatesAnswer(Part):
    """Whom of the customers to call. In the order that they were sent; rank them by `expected_gain`."""

    model_version: str
    currency: str
    customers: int = Field(description="Rows that were sent.")
    candidates: list[Candidate]
    others_gain: list[float] = Field(description="What a call should bring to each of the others, none of them above 0.")
    left_out: LeftOut
    header: str = Field(description="The first line of a list in CSV.")
