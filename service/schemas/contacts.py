"""What goes in and comes out at POST /contacts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from churn.store.contacts.records import MAX_CAMPAIGN_LENGTH, NAME_PATTERN, Contact
from service.schemas.reported import Part, PastTime, Reference, Reported

_PATTERN: dict[str, Any] = {"pattern": NAME_PATTERN}


def _is_a_line(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise ValueError("must be one line without control characters, and begin with a character that is not blank")
    return value


CampaignName = Annotated[
    str, Field(strict=True, max_length=MAX_CAMPAIGN_LENGTH, json_schema_extra=_PATTERN), AfterValidator(_is_a_line)
]
Offer = Annotated[str, Field(strict=True, max_length=256, json_schema_extra=_PATTERN), AfterValidator(_is_a_line)]


class ContactItem(Reported):
    """Somebody was acted on: called, written to, made an offer. Or, with `opt_out`, said whether they want that."""

    contacted_at: PastTime | None = Field(None, description="With a time zone (RFC 3339); now, if absent.")
    campaign: CampaignName | None = None
    offer: Offer | None = None
    opt_out: StrictBool | None = Field(
        None, description="true: wants no contacts from `contacted_at` on; false: may be contacted again. Then it is no contact."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.opt_out is not None and (self.campaign is not None or self.offer is not None):
            raise ValueError("an opt-out is no contact: leave campaign and offer out, and send the contact as one more item")
        return self

    def to_contact(self, received_at: datetime) -> Contact:
        """Return the record. Without a stated time, it happened when it was received."""
        at = (self.contacted_at or received_at).astimezone(UTC)
        return Contact(at, self.prediction_id, self.customer_id, self.campaign or "", self.offer, self.opt_out)


class ContactsRequest(Part):
    """Who was acted on. Sending it again changes nothing."""

    contacts: list[ContactItem] = Field(min_length=1)


class ContactsAnswer(Part):
    """What became of the contacts."""

    accepted: int = Field(description="Stored now.")
    duplicates: int = Field(description="Known before, and the same.")
    unknown: list[Reference] = Field(description="No such prediction; for an opt-out, also one that names no customer.")
    conflicting: list[Reference] = Field(description="The same contact is known with another offer; it stays.")
    unasked: list[Reference] = Field(description="Stored, though the customer was not asked about before: is the id right?")
    held_out: list[Reference] = Field(
        description="Stored, though the customer belongs to the control group: it leaks. Contact nobody whose action is hold_out."
    )
