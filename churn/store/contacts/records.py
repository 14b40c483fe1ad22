"""What the store keeps of contacts: who was acted on, and who asked not to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

# Of a campaign or an offer: no control characters, so that it can stand in a table, a file and a log as it is.
NAME_PATTERN = r"^[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
MAX_CAMPAIGN_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer was acted on, or said whether they want to be.

    Attributes
    ----------
    contacted_at : datetime
        With time zone. For an opt-out, when it was said.
    prediction_id, customer_id : str or None
        Either names the customer.
    campaign : str
        Empty if there is no name for it.
    offer : str or None
    opt_out : bool or None
        True: the customer wants no contacts from then on; False: they may be contacted again; None: it is a contact.
    """

    contacted_at: datetime
    prediction_id: str | None = None
    customer_id: str | None = None
    campaign: str = ""
    offer: str | None = None
    opt_out: bool | None = None


@dataclass(frozen=True, slots=True)
class ContactReceipt:
    """What became of a list of contacts. Those at the positions (0-based) in `unknown` and `conflicting` were not stored.

    Attributes
    ----------
    accepted : int
        How many contacts and opt-outs were stored now.
    duplicates : int
        How many were stored before and are the same. An opt-out is one, too, if the customer has said something later.
    unknown : list of int
        Where there is no such prediction; for an opt-out, also where the prediction names no customer.
    conflicting : list of int
        Where the same contact is stored with another offer, which stays.
    unasked : list of int
        Where no prediction of the customer was asked for at or before the contact. These are stored.
    held_out : list of int
        Where the customer, when a model last named them until then, was of the control group. These are stored, and leaks.
    """

    accepted: int = 0
    duplicates: int = 0
    unknown: list[int] = field(default_factory=list)
    conflicting: list[int] = field(default_factory=list)
    unasked: list[int] = field(default_factory=list)
    held_out: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Campaign:
    """What the store knows of a campaign.

    Attributes
    ----------
    name : str
    contacts : int
        How many were ever stored, those removed since included.
    first_contact_at, last_contact_at : datetime
    """

    name: str
    contacts: int
    first_contact_at: datetime
    last_contact_at: datetime
