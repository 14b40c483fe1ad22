"""What the store knows of models on trial: the challenger's answers, and what came true of a version's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.store.engine import translated
from churn.store.store import Store
from churn.store.tables import outcomes, predictions, shadow_predictions
from churn.store.watermark import find_watermark

# For log loss a probability is held away from 0 and 1, as sklearn does for float64.
SMALLEST = float(np.finfo(np.float64).eps)


class ShadowRow(NamedTuple):
    """An answer that nobody got: the challenger's, to a customer whom the champion answered."""

    prediction_id: str
    model_version: str
    churn_probability: float
    churn: bool
    requested_at: datetime


class Realized(NamedTuple):
    """An answer and what came true of it."""

    outcome_seq: int
    churn_probability: float
    churned: bool
    features: dict[str, Any]


@dataclass(frozen=True)
class ShadowComparison:
    """A challenger and the champion on the same customers.

    Attributes
    ----------
    n : int
        Customers whom both answered.
    mean_difference, mean_absolute_difference : float
        Of the challenger's probability from the champion's.
    disagreement_rate : float
        Share of customers whom they decide differently.
    labelled : int
        Customers of whom it is known whether they left.
    brier, brier_champion, log_loss, log_loss_champion : float or None
        On these; None if there are none.
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


def write_shadow(store: Store, rows: Sequence[ShadowRow]) -> None:
    """Store the challenger's answers, all or none; one that is there already stays. StoreError if they cannot be stored."""
    if not rows:
        return
    insert = postgresql.insert if store.engine.dialect.name == "postgresql" else sqlite.insert
    with translated(), store.engine.begin() as connection:
        connection.execute(insert(shadow_predictions).on_conflict_do_nothing(), [row._asdict() for row in rows])


def compare_shadow(store: Store, version: str) -> ShadowComparison | None:
    """Compare what a version answered in the shadow with what was answered; None if it never was a challenger."""
    shadow = shadow_predictions.c
    both = shadow_predictions.join(predictions, predictions.c.prediction_id == shadow.prediction_id)
    difference = shadow.churn_probability - predictions.c.churn_probability
    disagreed = sa.case((shadow.churn != predictions.c.churn, 1.0), else_=0.0)
    counted = sa.select(sa.func.count(), sa.func.avg(difference), sa.func.avg(sa.func.abs(difference)), sa.func.avg(disagreed))
    labelled = (
        sa.select(shadow.churn_probability, predictions.c.churn_probability, outcomes.c.churned)
        .select_from(both.join(outcomes, outcomes.c.prediction_id == shadow.prediction_id))
        .where(shadow.model_version == version)
    )
    with translated(), store.engine.connect() as connection:
        n, mean, absolute, rate = connection.execute(counted.select_from(both).where(shadow.model_version == version)).one()
        rows = connection.execute(labelled).all()
    if not n:
        return None
    common = (int(n), float(mean), float(absolute), float(rate))
    if not rows:
        return ShadowComparison(*common, labelled=0)
    challenger, champion, churned = np.array([tuple(map(float, row)) for row in rows]).T
    return ShadowComparison(
        *common,
        labelled=len(rows),
        brier=_brier(challenger, churned),
        brier_champion=_brier(champion, churned),
        log_loss=_log_loss(challenger, churned),
        log_loss_champion=_log_loss(champion, churned),
    )


def realized_answers(store: Store, version: str, *, since: datetime, after_outcome_seq: int, limit: int) -> list[Realized]:
    """List what came true of a version's own answers, in the order in which it was told.

    Parameters
    ----------
    store : Store
    version : str
    since : datetime
        Only answers from then on.
    after_outcome_seq : int
        Only outcomes numbered above it.
    limit : int
        At most so many.
    """
    o = outcomes.c
    query = (
        sa.select(o.seq, o.churn_probability, o.churned, predictions.c.features)
        .join(predictions, predictions.c.prediction_id == o.prediction_id)
        .where(o.seq > after_outcome_seq, o.model_version == version, o.requested_at >= since)
        .order_by(o.seq)
        .limit(limit)
    )
    with translated(), store.engine.connect() as connection:
        watermark = find_watermark(connection, outcomes)
        return [Realized(*row) for row in connection.execute(query.where(o.seq <= watermark)).all()]


def _brier(probabilities: np.ndarray, churned: np.ndarray) -> float:
    return float(np.mean((probabilities - churned) ** 2))


def _log_loss(probabilities: np.ndarray, churned: np.ndarray) -> float:
    held = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    return float(-np.mean(churned * np.log(held) + (1 - churned) * np.log1p(-held)))
