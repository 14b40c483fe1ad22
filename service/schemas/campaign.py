"""What comes out at POST /campaign/candidates."""

from __future__ import annotations

from pydantic import Field

from service.schemas.reported import Part


class Candidate(Part):
    """A customer who is worth a call."""

    index: int = Field(description="Place among the rows that were sent, from 0.")
    customer_id: str = Field(description="As it was sent.")
    churn_probability: float = Field(ge=0, le=1, description="How likely the customer is to leave.")
    value: float = Field(description="What the customer is worth if they stay.")
    expected_gain: float = Field(description="Above 0: what a call should bring beyond its cost. The list is ranked by it.")
    expected_saved: float = Field(ge=0, le=1, description="How likely the call is to keep a customer who would have left.")
    expected_cost: float = Field(description="What the call and the offer should cost.")
    reasons: list[str] = Field(description="What raises the risk, strongest first.")
    segment: str | None = Field(
        None, description="The group that the customer belongs to, by the reasons of the answer; absent if the model knows none."
    )
    line: str = Field(description="The customer's line of a list in CSV, but for its rank.")


class LeftOut(Part):
    """Customers who would be worth a call and are left alone."""

    control_group: int = Field(description="They belong to the standing control group.")
    opted_out: int = Field(description="They want no contacts.")
    contacted_lately: int = Field(description="They were contacted within CHURN_CONTACT_EFFECT_DAYS.")


class CandidatesAnswer(Part):
    """Whom of the customers to call. In the order that they were sent; rank them by `expected_gain`."""

    model_version: str = Field(description="Which version of the model answered.")
    currency: str = Field(description="Of all amounts of money.")
    customers: int = Field(description="Rows that were sent.")
    customer_ids: list[str] = Field(description="Theirs. Of a file in pieces, none may be there twice.")
    candidates: list[Candidate] = Field(description="Those who are worth a call.")
    others_gain: list[float] = Field(description="What a call should bring to each of the others, none of them above 0.")
    left_out: LeftOut
    header: str = Field(description="The first line of a list in CSV.")
