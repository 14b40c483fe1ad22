"""A campaign read row by row: what counting in the database must agree with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from churn.store.contacts.campaign_counter import campaign_span
from churn.store.store import Store
from churn.store.tables import contacts, outcomes, predictions


@dataclass(frozen=True)
class Flagged:
    """A customer whom the model named in a campaign's time.

    Attributes
    ----------
    score : float
        The probability of leaving that the customer was named for, in [0, 1].
    held_out : bool
        Whether the customer belongs to the control group.
    contacted : bool
        Whether the campaign contacted the customer.
    churned : bool or None
        None while it is not known.
    """

    customer_id: str
    score: float
    held_out: bool
    contacted: bool
    churned: bool | None


@dataclass(frozen=True)
class CampaignCustomers:
    """The customers of a campaign.

    Attributes
    ----------
    first_answer_at, last_answer_at : datetime or None
        When the predictions were asked for that the contacted were chosen by: the campaign's time. None if there are none.
    flagged : list of Flagged
        Everybody with an id whom the model named in that time, once, by the first prediction.
    not_flagged : int
        Customers whom the campaign contacted though the model did not name them in that time.
    other_campaigns : int
        Of the flagged, how many another campaign contacted in the same time.
    """

    first_answer_at: datetime | None
    last_answer_at: datetime | None
    flagged: list[Flagged]
    not_flagged: int
    other_campaigns: int


def read_campaign(store: Store, campaign: str) -> CampaignCustomers | None:
    """Return the customers of a campaign; None if no contact of it is stored."""
    with store.engine.connect() as connection:
        contacted = _contacted(connection, campaign)
        if not contacted:
            return None
        first, last, last_contact = campaign_span(connection, campaign)
        if first is None or last is None:
            return CampaignCustomers(None, None, [], len(contacted), 0)
        flagged = _flagged(connection, first, last, contacted)
        others = _contacted_by_others(connection, campaign, first, last_contact)
    named = {one.customer_id for one in flagged}
    return CampaignCustomers(first, last, flagged, len(contacted - named), len(named & others))


def _contacted(connection: sa.Connection, campaign: str) -> set[str]:
    c = contacts.c
    query = sa.select(c.customer_id).where(c.campaign == campaign, c.customer_id.is_not(None)).distinct()
    return {str(name) for name in connection.execute(query).scalars()}


def _flagged(connection: sa.Connection, first: datetime, last: datetime, contacted: set[str]) -> list[Flagged]:
    p, o = predictions.c, outcomes.c
    query = (
        sa.select(p.customer_id, p.churn_probability, p.held_out, o.churned)
        .join(outcomes, o.prediction_id == p.prediction_id, isouter=True)
        .where(p.requested_at >= first, p.requested_at <= last, p.churn, p.customer_id.is_not(None))
        .order_by(p.seq)
    )
    found: dict[str, Flagged] = {}
    for name, score, held_out, churned in connection.execute(query):
        if name not in found:
            found[name] = Flagged(name, score, held_out, name in contacted, churned)
    return list(found.values())


def _contacted_by_others(connection: sa.Connection, campaign: str, first: datetime, last: datetime | None) -> set[str]:
    c = contacts.c
    query = sa.select(c.customer_id).where(c.campaign != campaign, c.contacted_at >= first, c.customer_id.is_not(None))
    if last is not None:
        query = query.where(c.contacted_at <= last)
    return {str(name) for name in connection.execute(query.distinct()).scalars()}
