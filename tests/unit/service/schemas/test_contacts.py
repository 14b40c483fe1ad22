"""A contact, or what a customer says of contacts: one thing at a time, in lines that can stand in a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from churn.store.contacts.records import MAX_CAMPAIGN_LENGTH, Contact
from service.schemas.contacts import ContactItem, ContactsRequest

RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)


def item(**given: Any) -> ContactItem:
    return ContactItem.model_validate({"customer_id": "c-1", **given})


def test_without_a_time_it_happened_when_it_was_received() -> None:
    assert item().to_contact(RECEIVED) == Contact(RECEIVED, customer_id="c-1", campaign="", offer=None, opt_out=None)


def test_what_is_said_is_what_is_kept_in_utc() -> None:
    given = item(contacted_at="2026-02-01T01:00:00+02:00", campaign="may", offer="10 % off")
    kept = given.to_contact(RECEIVED)
    assert kept == Contact(datetime(2026, 1, 31, 23, tzinfo=UTC), customer_id="c-1", campaign="may", offer="10 % off")
    assert kept.contacted_at.tzinfo is UTC
    by_prediction = ContactItem.model_validate({"prediction_id": "p-1", "opt_out": False}).to_contact(RECEIVED)
    assert (by_prediction.prediction_id, by_prediction.customer_id, by_prediction.opt_out) == ("p-1", None, False)


@pytest.mark.parametrize("opt_out", [True, False])
@pytest.mark.parametrize("contact", [{"campaign": "may"}, {"offer": "10 % off"}])
def test_an_opt_out_is_no_contact(opt_out: bool, contact: dict[str, str]) -> None:
    assert item(opt_out=opt_out).to_contact(RECEIVED).opt_out is opt_out
    with pytest.raises(ValidationError, match="an opt-out is no contact"):
        item(opt_out=opt_out, **contact)


@pytest.mark.parametrize("field", ["campaign", "offer"])
@pytest.mark.parametrize("name", ["", " may", "\tmay", "two\nlines", "a\x00b", "may\x7f", "may\n"])
def test_a_name_is_one_line_that_begins_with_no_blank(field: str, name: str) -> None:
    with pytest.raises(ValidationError, match="must be one line without control characters"):
        item(**{field: name})


@pytest.mark.parametrize(("field", "longest"), [("campaign", MAX_CAMPAIGN_LENGTH), ("offer", 256)])
def test_a_name_has_its_greatest_length(field: str, longest: int) -> None:
    assert item(**{field: "x" * longest})
    with pytest.raises(ValidationError, match=f"at most {longest} characters"):
        item(**{field: "x" * (longest + 1)})


@pytest.mark.parametrize("given", ["true", 1, "yes"])
def test_an_opt_out_is_said_and_not_guessed(given: object) -> None:
    with pytest.raises(ValidationError, match="valid boolean"):
        item(opt_out=given)


def test_an_empty_list_says_nothing() -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        ContactsRequest.model_validate({"contacts": []})
