"""Count whom a campaign was about, by score, in the database: campaigns of any size need no memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from churn.store.cohort import Cohort
from churn.store.database.engine import translated
from churn.store.records import NO_LIMIT
from churn.store.tables import contacts, outcomes, predictions

# Rows come to the store in about the order of their time. In SQLite, which has no index of it, only so many before and after
# those that the campaign chose are looked at for others of its time.
OUT_OF_ORDER = 50_000
# Customers whose features are Python's objects at the same time.
READ_AT_ONCE = 2_000
PartOf = Callable[[Sequence[Mapping[str, Any]]], Sequence[str]]


@dataclass(frozen=True)
class CampaignCounts:
    """How many customers the model named in a campaign's time, each once, by the first prediction.

    Attributes
    ----------
    named, held_out : int
        Those who were to be contacted, and those of the control group.
    contacted, leaked : int
        Of each, how many the campaign contacted.
    waiting : int
        Of all of them, how many have no outcome that counts.
    not_named : int
        Customers whom the campaign contacted though the model did not name them in that time.
    elsewhere : int
        Of those named or held out, how many another campaign contacted in the same time.
    beyond : int
        Of those named or held out, how many have a score above or below that of everybody whom the campaign contacted: those
        whom a budget left out. They are compared with nobody.
    treated, treated_stayed : int
        Of those with an outcome, how many the campaign contacted, whoever they are; and how many of these stayed.
    customers, left : numpy.ndarray of int, shape (2, n)
        Of the others with an outcome, by score: those who were to be contacted and those held out; and how many of each left.
    contacted_left : numpy.ndarray of int, shape (n,)
        Of those who were to be contacted and left, by score, how many this campaign or another one contacted.
    leavers_only : bool
        Whether outcomes seem to be told of those who left only (`Cohort.told_of_leavers`). Then none counts.
    """

    named: int
    held_out: int
    contacted: int
    leaked: int
    waiting: int
    not_named: int
    elsewhere: int
    beyond: int
    treated: int
    treated_stayed: int
    customers: NDArray[np.int64]
    left: NDArray[np.int64]
    contacted_left: NDArray[np.int64]
    leavers_only: bool = False


class CampaignCounter:
    """The campaigns of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def count(self, campaign: str, steps: int, *, mature_until: datetime = NO_LIMIT) -> CampaignCounts | None:
        """Count the customers of a campaign.

        Parameters
        ----------
        campaign : str
        steps : int
            In how many steps scores between 0 and 1 are told apart.
        mature_until : datetime
            Outcomes of predictions requested later do not count; see `churn.store.maturity`. Where those who left are known
            sooner, both sides would seem to have left, and nobody to be saved. By default, all count.

        Returns
        -------
        CampaignCounts
            None if no contact of it is stored; nobody is named if the store knows no prediction of those it contacted.
        """
        with translated(), self._engine.connect() as connection:
            members = _members(connection, campaign)
            if not members:
                return None
            each = _of_campaign(connection, campaign, steps, mature_until)
            if each is None:
                return _summed([], members, None)
            same = each.subquery()
            groups = [_Group(*row) for row in connection.execute(sa.select(*same.c, sa.func.count()).group_by(*same.c))]
        alone = mature_until != NO_LIMIT and _told_of_leavers(groups, steps)
        return _summed(groups, members, _chosen(groups), leavers_only=alone)

    def count_parts(
        self, campaign: str, steps: int, part_of: PartOf, *, mature_until: datetime = NO_LIMIT
    ) -> dict[str, CampaignCounts]:
        """Count the customers of a campaign part by part, such as by segment.

        Parameters
        ----------
        campaign : str
        steps : int
            As in `count`.
        part_of : callable
            Names the part that each of some customers belongs to, by the features that were logged.
        mature_until : datetime
            As in `count`.

        Returns
        -------
        dict
            Name to counts, `not_named` being 0: of those whom the model did not name, no part is known. Empty if nobody is known.
        """
        counted: dict[str, Counter[_Group]] = {}
        with translated(), self._engine.connect() as connection:
            each = _of_campaign(connection, campaign, steps, mature_until)
            if each is None:
                return {}
            query = each.add_columns(predictions.c.features)
            for rows in connection.execution_options(yield_per=READ_AT_ONCE).execute(query).partitions():
                for row, part in zip(rows, part_of([row.features for row in rows]), strict=True):
                    alike = _Group(row.step, row.held_out, row.contacted, row.elsewhere, row.churned, 1)
                    counted.setdefault(part, Counter())[alike] += 1
        parts = {part: [one._replace(size=size) for one, size in of.items()] for part, of in counted.items()}
        every = [one for groups in parts.values() for one in groups]
        chosen, alone = _chosen(every), mature_until != NO_LIMIT and _told_of_leavers(every, steps)
        return {
            part: _summed(groups, sum(one.size for one in groups if one.contacted), chosen, leavers_only=alone)
            for part, groups in parts.items()
        }

    def versions(self, campaign: str) -> list[str]:
        """Return the versions of the model that named a campaign's customers, that of most of them first."""
        with translated(), self._engine.connect() as connection:
            each = _of_campaign(connection, campaign, 1, NO_LIMIT)
            if each is None:
                return []
            named = each.add_columns(predictions.c.model_version).subquery()
            version = named.c.model_version
            query = sa.select(version).group_by(version).order_by(sa.func.count().desc(), version)
            return [str(one) for one in connection.execute(query).scalars()]


class _Group(NamedTuple):
    """Customers who are alike in all that counts, and how many they are."""

    step: int
    held_out: bool
    contacted: bool
    elsewhere: bool
    churned: bool | None
    size: int


def _members(connection: sa.Connection, campaign: str) -> int:
    """Return how many customers the campaign contacted, as far as contacts name them."""
    c = contacts.c
    return int(connection.execute(sa.select(sa.func.count(c.customer_id.distinct())).where(c.campaign == campaign)).scalar_one())


def campaign_span(connection: sa.Connection, campaign: str) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return when the predictions were asked for that the contacted were chosen by, first and last; and the last contact.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    campaign : str

    Returns
    -------
    first, last, last_contact : datetime or None
        None if there are none.
    """
    c = contacts.c
    chosen = sa.select(_chosen_at().label("at"), c.contacted_at).where(c.campaign == campaign).subquery()
    found = sa.select(sa.func.min(chosen.c.at), sa.func.max(chosen.c.at), sa.func.max(chosen.c.contacted_at))
    first, last, last_contact = connection.execute(found).one()
    return first, last, last_contact


def _chosen_at() -> sa.ScalarSelect[datetime]:
    """Return when the prediction was asked for that a contact's customer was chosen by: the newest before the contact."""
    p, c = predictions.c, contacts.c
    newest = sa.select(sa.func.max(p.requested_at)).where(p.customer_id == c.customer_id, p.requested_at <= c.contacted_at)
    return newest.correlate(contacts).scalar_subquery()


def _seqs(connection: sa.Connection, campaign: str, last: datetime) -> tuple[int, int]:
    """Return between which numbers the predictions of a campaign's customers lie, and somewhat more."""
    p, c = predictions.c, contacts.c
    chosen = sa.select(sa.func.min(p.seq), sa.func.max(p.seq)).select_from(
        contacts.join(predictions, sa.and_(p.customer_id == c.customer_id, p.requested_at == _chosen_at()))
    )
    low, high = connection.execute(chosen.where(c.campaign == campaign, p.requested_at <= last)).one()
    return low - OUT_OF_ORDER, high + OUT_OF_ORDER


def _of_campaign(connection: sa.Connection, campaign: str, steps: int, mature_until: datetime) -> sa.Select[Any] | None:
    """Return the query for the customers of a campaign, each once; None if the store knows no prediction of theirs."""
    first, last, last_contact = campaign_span(connection, campaign)
    if first is None or last is None or last_contact is None:
        return None
    seqs = _seqs(connection, campaign, last) if connection.dialect.name == "sqlite" else None
    return _query(campaign, steps, (first, last, last_contact), seqs, mature_until)


def _query(
    campaign: str,
    steps: int,
    times: tuple[datetime, datetime, datetime],
    seqs: tuple[int, int] | None,
    mature_until: datetime,
) -> sa.Select[tuple[int, bool, bool, bool, bool | None]]:
    p, c, o = predictions.c, contacts.c, outcomes.c
    first = sa.select(sa.func.min(p.seq)).where(p.requested_at.between(*times[:2]), p.churn, p.customer_id.is_not(None))
    if seqs is not None:
        first = first.where(p.seq.between(*seqs))
    contacted = sa.exists().where(c.customer_id == p.customer_id, c.campaign == campaign).correlate(predictions)
    elsewhere = (
        sa.exists()
        .where(c.customer_id == p.customer_id, c.campaign != campaign, c.contacted_at.between(times[0], times[2]))
        .correlate(predictions)
    )
    mature = sa.and_(o.prediction_id == p.prediction_id, o.requested_at <= mature_until)
    step = sa.cast(sa.func.round(p.churn_probability * steps), sa.Integer)
    return (
        sa.select(
            step.label("step"),
            p.held_out.label("held_out"),
            contacted.label("contacted"),
            elsewhere.label("elsewhere"),
            o.churned.label("churned"),
        )
        .select_from(predictions.join(outcomes, mature, isouter=True))
        .where(p.seq.in_(first.group_by(p.customer_id)))
    )


def _chosen(groups: list[_Group]) -> tuple[int, int] | None:
    """Return between which scores the contacted were chosen."""
    # Who of the control group has such a score would have been chosen too; whom chance held out below a budget's cut would not.
    steps = [one.step for one in groups if one.contacted and not one.held_out]
    return (min(steps), max(steps)) if steps else None


def _told_of_leavers(groups: list[_Group], steps: int) -> bool:
    """Return whether outcomes seem to be told of those who left only."""
    known = [one for one in groups if one.churned is not None]
    size = [one.size for one in known]
    left = np.repeat(np.array([float(bool(one.churned)) for one in known]), size)
    said = np.repeat(np.array([one.step / steps for one in known]), size)
    return Cohort(sum(one.size for one in groups), len(left)).told_of_leavers(left, said)


def _summed(groups: list[_Group], members: int, chosen: tuple[int, int] | None, *, leavers_only: bool = False) -> CampaignCounts:
    if leavers_only:
        groups = [one._replace(churned=None) for one in groups]
    known = [one for one in groups if one.churned is not None]
    within = [one for one in groups if chosen and chosen[0] <= one.step <= chosen[1]]
    compared = [one for one in within if one.churned is not None]
    place = {step: at for at, step in enumerate(sorted({one.step for one in compared}))}
    customers, left = (np.zeros((2, len(place)), dtype=np.int64) for _ in range(2))
    contacted_left = np.zeros(len(place), dtype=np.int64)
    for one in compared:
        customers[int(one.held_out), place[one.step]] += one.size
        left[int(one.held_out), place[one.step]] += one.size * bool(one.churned)
        if one.churned and not one.held_out and (one.contacted or one.elsewhere):
            contacted_left[place[one.step]] += one.size
    return CampaignCounts(
        named=sum(one.size for one in groups if not one.held_out),
        held_out=sum(one.size for one in groups if one.held_out),
        contacted=sum(one.size for one in groups if one.contacted and not one.held_out),
        leaked=sum(one.size for one in groups if one.contacted and one.held_out),
        waiting=sum(one.size for one in groups if one.churned is None),
        not_named=members - sum(one.size for one in groups if one.contacted),
        elsewhere=sum(one.size for one in groups if one.elsewhere),
        beyond=sum(one.size for one in groups) - sum(one.size for one in within),
        treated=sum(one.size for one in known if one.contacted),
        treated_stayed=sum(one.size for one in known if one.contacted and not one.churned),
        customers=customers,
        left=left,
        contacted_left=contacted_left,
        leavers_only=leavers_only,
    )
