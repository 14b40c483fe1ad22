"""Answers of challengers, and outcomes of a version's own answers: what a rollout is judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from churn.store.cohort import Cohort
from churn.store.database.engine import translated
from churn.store.database.insert import insert_into
from churn.store.database.watermark import find_watermark
from churn.store.records import NO_LIMIT
from churn.store.tables import outcomes, predictions, shadow_predictions
from churn.store.treatment.labels import learnable
from churn.store.treatment.marks import CONTACT_EFFECT, has_contacts, mark_columns

if TYPE_CHECKING:
    import pandas as pd

# For log loss, probabilities are clipped to [EPSILON, 1 - EPSILON], as sklearn does for float64.
EPSILON = float(np.finfo(np.float64).eps)


class ShadowRow(NamedTuple):
    """The challenger's answer to a request that the champion answered. Nobody received it."""

    prediction_id: str
    model_version: str
    churn_probability: float
    churn: bool
    requested_at: datetime


class Realized(NamedTuple):
    """An answer of a model, and its outcome, of a customer who was not acted on.

    Attributes
    ----------
    weight : float
        In (0, 1]: how many customers it stands for, divided by the most that one can stand for.
    """

    outcome_seq: int
    churn_probability: float
    churned: bool
    features: dict[str, Any]
    requested_at: datetime
    customer_id: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class ShadowComparison:
    """A challenger and the champion on the same requests.

    Attributes
    ----------
    n : int
        Requests that both answered.
    mean_difference, mean_absolute_difference : float
        Mean of the challenger's probability less the champion's, and of the absolute value of this.
    disagreement_rate : float
        Share of requests on which they decide differently, in [0, 1].
    labelled : int
        Requests whose outcome is known, and mature, of customers who were not acted on.
    leavers_only : bool
        Whether outcomes seem to be told of those who left only (`churn.store.cohort`); then there are no scores.
    brier, brier_champion, log_loss, log_loss_champion : float or None
        On the labelled requests, each weighted by how many it stands for (`churn.store.treatment.selection`); None if there are
        none, or if it is not known for whom they stand.
    """

    n: int
    mean_difference: float
    mean_absolute_difference: float
    disagreement_rate: float
    labelled: int
    brier: float | None = None
    brier_champion: float | None = None
    log_loss: float | None = None
    log_loss_champion: float | None = None
    leavers_only: bool = False


class ShadowPredictions:
    """The challengers' answers in one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def write(self, rows: Sequence[ShadowRow], /) -> None:
        """Store answers of a challenger, all or none. Those that are there already are left as they are."""
        if not rows:
            return
        once = insert_into(self._engine.dialect.name, shadow_predictions).on_conflict_do_nothing()
        with translated(), self._engine.begin() as connection:
            connection.execute(once, [row._asdict() for row in rows])

    def compare(
        self, version: str, *, mature_until: datetime = NO_LIMIT, contact_effect: timedelta = CONTACT_EFFECT
    ) -> ShadowComparison | None:
        """Compare a version's answers as a challenger with those of the champion.

        Parameters
        ----------
        version : str
        mature_until : datetime
            Outcomes of predictions requested later do not count; see `churn.store.maturity`. By default, all do.
        contact_effect : timedelta
            How long a contact may change what a customer does.

        Returns
        -------
        ShadowComparison or None
            None if it never was a challenger.
        """
        shadow = shadow_predictions.c
        both = shadow_predictions.join(predictions, predictions.c.prediction_id == shadow.prediction_id)
        difference = shadow.churn_probability - predictions.c.churn_probability
        disagreed = sa.case((shadow.churn != predictions.c.churn, 1.0), else_=0.0)
        mature = sa.func.sum(sa.case((predictions.c.requested_at <= mature_until, 1), else_=0))
        means = (sa.func.avg(difference), sa.func.avg(sa.func.abs(difference)), sa.func.avg(disagreed))
        summary = sa.select(sa.func.count(), mature, *means)
        with translated(), self._engine.connect() as connection:
            found = connection.execute(summary.select_from(both).where(shadow.model_version == version)).one()
            every = _labelled(connection, version, mature_until)
            rows = learnable(connection, every, contact_effect) if len(every) else every
        n, asked, mean, absolute, rate = found
        if not n:
            return None
        cohort, rows = Cohort(int(asked), len(every)), rows[rows["churned"].notna()]
        common = (int(n), float(mean), float(absolute), float(rate))
        weight = rows["weight"].to_numpy(dtype=np.float64) if "weight" in rows else None
        alone = mature_until != NO_LIMIT and cohort.told_of_leavers(every["churned"].to_numpy(), every["champion"].to_numpy())
        if rows.empty or alone or (weight is not None and np.isnan(weight).any()):
            return ShadowComparison(*common, labelled=len(rows), leavers_only=alone)
        challenger, champion, churned = (rows[name].to_numpy(dtype=np.float64) for name in ("shadow", "champion", "churned"))
        return ShadowComparison(
            *common,
            labelled=len(rows),
            brier=_brier(challenger, churned, weight),
            brier_champion=_brier(champion, churned, weight),
            log_loss=_log_loss(challenger, churned, weight),
            log_loss_champion=_log_loss(champion, churned, weight),
        )

    def realized(
        self,
        version: str,
        *,
        since: datetime,
        after_outcome_seq: int,
        limit: int,
        mature: tuple[datetime, datetime] = (NO_LIMIT, NO_LIMIT),
        contact_effect: timedelta = CONTACT_EFFECT,
        control_share: float = 0.0,
    ) -> list[Realized]:
        """Return a version's own answers whose outcome is known, in the order in which they were requested.

        Once any contact is stored, only those of customers whom no model named, and of the control group, who stand for all that
        were named; none if there is no such group. Unlike with `churn.store.treatment.selection`, this does not depend on the
        other outcomes, since they are read as they come, a few at a time.

        Parameters
        ----------
        version : str
        since : datetime
            Only answers requested from then on; with time zone.
        after_outcome_seq : int
            Only outcomes numbered above it.
        limit : int
            At most so many: whose predictions were requested first, so that early outcomes get no preference.
        mature : (datetime, datetime)
            As of `churn.store.predictions.window_reader.WindowReader.read_labelled`. By default, all count at once.
        contact_effect : timedelta
            How long a contact may change what a customer does.
        control_share : float
            Of the control group, in [0, 1).

        Returns
        -------
        list of Realized
        """
        o, (before, until) = outcomes.c, mature
        query = (
            sa.select(o.seq, o.churn_probability, o.churned, predictions.c.features, o.requested_at, o.customer_id)
            .join(predictions, predictions.c.prediction_id == o.prediction_id)
            .where(o.model_version == version, o.requested_at >= since, o.requested_at <= until)
            .where(sa.or_(o.seq > after_outcome_seq, o.requested_at > before))
            .order_by(o.requested_at, o.seq)
            .limit(limit)
        )
        with translated(), self._engine.connect() as connection:
            watermark = find_watermark(connection, outcomes)
            query = query.where(o.seq <= watermark)
            if not has_contacts(connection):
                return [Realized(*row) for row in connection.execute(query).all()]
            if not control_share:
                return []
            acted_on, held_out = mark_columns(connection.dialect.name, contact_effect)
            left_alone = query.where(acted_on == 0, sa.func.coalesce(held_out, 1) == 1)
            rows = connection.execute(left_alone.add_columns(held_out.is_(None))).all()
        return [Realized(*row[:-1])._replace(weight=control_share if row[-1] else 1.0) for row in rows]


def list_shadow_versions(connection: sa.Connection) -> list[str]:
    """Return the versions that have answers: the index leads from each to the next, however many rows they have."""
    v = shadow_predictions.c.model_version
    versions: list[str] = []
    version = connection.execute(sa.select(sa.func.min(v))).scalar_one()
    while version is not None:
        versions.append(str(version))
        version = connection.execute(sa.select(sa.func.min(v)).where(v > version)).scalar_one()
    return versions


def _labelled(connection: sa.Connection, version: str, mature_until: datetime) -> pd.DataFrame:
    """Return both answers to each request whose outcome is known, and mature."""
    import pandas as pd

    shadow, p, o = shadow_predictions.c, predictions.c, outcomes.c
    query = (
        sa.select(o.seq, o.requested_at, shadow.churn_probability, p.churn_probability, o.churned)
        .select_from(
            shadow_predictions.join(predictions, p.prediction_id == shadow.prediction_id).join(
                outcomes, o.prediction_id == shadow.prediction_id
            )
        )
        .where(shadow.model_version == version, o.requested_at <= mature_until)
    )
    names = ["outcome_seq", "requested_at", "shadow", "champion", "churned"]
    rows = pd.DataFrame([tuple(row) for row in connection.execute(query)], columns=names)
    return rows.astype({"churned": "float64"}).assign(churn_probability=rows["champion"])


def _brier(probabilities: np.ndarray, churned: np.ndarray, weight: np.ndarray | None) -> float:
    return float(np.average((probabilities - churned) ** 2, weights=weight))


def _log_loss(probabilities: np.ndarray, churned: np.ndarray, weight: np.ndarray | None) -> float:
    clipped = np.clip(probabilities, EPSILON, 1 - EPSILON)
    return float(-np.average(churned * np.log(clipped) + (1 - churned) * np.log1p(-clipped), weights=weight))
