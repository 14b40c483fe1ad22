"""The newest prediction of one customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from churn.store.database.engine import translated
from churn.store.tables import predictions


@dataclass(frozen=True)
class NewestPrediction:
    """What was asked and answered.

    Attributes
    ----------
    prediction_id, model_version : str
    requested_at : datetime
        UTC.
    churn_probability, threshold : float
        In [0, 1].
    features : mapping of str to object
        As asked: number, boolean, text or None; what is missing may be absent.
    """

    prediction_id: str
    model_version: str
    requested_at: datetime
    churn_probability: float
    threshold: float
    features: Mapping[str, Any]


def read_newest(engine: sa.Engine, names: Sequence[str]) -> NewestPrediction | None:
    """Return a customer's newest prediction, or None.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Of the store.
    names : sequence of str
        The customer's id, and its pseudonym if there is one.

    Returns
    -------
    NewestPrediction or None

    Raises
    ------
    StoreError
        If the store is away.
    """
    p = predictions.c
    columns = (p.prediction_id, p.model_version, p.requested_at, p.churn_probability, p.threshold, p.features)
    newest = sa.select(*columns).where(p.customer_id.in_(names)).order_by(p.requested_at.desc(), p.seq.desc()).limit(1)
    with translated(), engine.connect() as connection:
        row = connection.execute(newest).first()
    return None if row is None else NewestPrediction(*row)
