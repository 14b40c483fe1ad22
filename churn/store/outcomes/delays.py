"""How long outcomes took to become known, of customers who left and of those who stayed: a sample, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.tables import outcomes

# Numbers that are looked up, spread over all there are; where few of them exist, the newest rows are read instead.
PROBES, MIN_FOUND, SEED = 20_000, 1_000, 17


@dataclass(frozen=True, slots=True)
class Delays:
    """How long outcomes took, in seconds since their predictions were requested.

    Attributes
    ----------
    left, stayed : numpy.ndarray of float64, shape (n,)
        Of customers who left, and of those who stayed; ascending, not below 0.
    history : float
        How long ago the first of their predictions was requested, in seconds.
    """

    left: NDArray[np.float64]
    stayed: NDArray[np.float64]
    history: float = 0.0


class OutcomeDelays:
    """The delays of one database's outcomes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self, now: datetime) -> Delays:
        """Return how long outcomes took: of all of them or, of more than 20,000, a sample that is the same each time.

        An outcome is known once it was observed and received. What was received after `now` is part of a history that is
        replayed, or came before a clock was set back: then it counts when it was observed.

        Parameters
        ----------
        now : datetime
            With time zone.

        Returns
        -------
        Delays

        Raises
        ------
        StoreError
            If the store is away.
        """
        with translated(), self._engine.connect() as connection:
            rows = _sample(connection)
        if not rows:
            return Delays(np.empty(0), np.empty(0))
        left, *times = zip(*rows, strict=True)
        churned = np.array(left, dtype=bool)
        requested, observed, received = (_timestamps(column) for column in times)
        known = np.where(received > now.timestamp(), observed, np.maximum(observed, received))
        seconds = np.maximum(known - requested, 0.0)
        return Delays(np.sort(seconds[churned]), np.sort(seconds[~churned]), now.timestamp() - float(requested.min()))


def _timestamps(moments: Sequence[str | datetime]) -> NDArray[np.float64]:
    """Return moments as the driver returns them (texts on SQLite, in UTC) in seconds. Who exports metrics imports no pandas."""
    read = (datetime.fromisoformat(one) if isinstance(one, str) else one for one in moments)
    aware = (one if one.tzinfo is not None else one.replace(tzinfo=UTC) for one in read)
    return np.fromiter((one.timestamp() for one in aware), dtype=np.float64, count=len(moments))


def _sample(connection: sa.Connection) -> list[Any]:
    o = outcomes.c
    raw = (sa.type_coerce(moment, sa.types.NULLTYPE) for moment in (o.requested_at, o.observed_at, o.received_at))
    query = sa.select(sa.type_coerce(o.churned, sa.Integer), *raw)
    ends = (sa.select(end(o.seq)).scalar_subquery() for end in (sa.func.min, sa.func.max))
    first, last = connection.execute(sa.select(*ends)).one()
    newest = query.order_by(o.seq.desc()).limit(PROBES)
    if last is None or last - first < PROBES:
        return list(connection.execute(newest).all())
    # Spread over all numbers: the newest rows may be one night's, and a night may tell of customers who stayed only.
    probes = np.random.default_rng(SEED).integers(first, last, PROBES, endpoint=True)
    found: list[Any] = []
    for chunk in chunks(np.unique(probes).tolist()):
        found += connection.execute(query.where(o.seq.in_(chunk))).all()
    return found if len(found) >= MIN_FOUND else list(connection.execute(newest).all())
