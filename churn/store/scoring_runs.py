"""Scoring runs in the store: which input was logged with which model, so that it is logged once, and seen when it is whole.

The rows of a run are committed in chunks, so that others can write meanwhile. Until all are there the monitor reads none of them:
half a file may look like drift, as files are sorted by something.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from churn.clock import now
from churn.store.database.engine import lock_for_writing, translated
from churn.store.database.insert import insert_into
from churn.store.tables import predictions, scoring_runs

# A run that was killed holds the monitor up for so long; whoever repeats it goes on from where it was, also later.
ABANDONED_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ScoringRun:
    """An input that is logged, or was.

    Attributes
    ----------
    run_key : str
        Stands for what was scored and for the model.
    source : str
        Where it was found, for people.
    requested_at : datetime
        Of all its predictions.
    after_seq : int
        Its predictions are numbered above it.
    active_at : datetime
        When it last gave a sign of life.
    finished_at : datetime or None
        None: not all of it is there.
    rows : int
        Predictions of it in all; 0 before it is finished.
    """

    run_key: str
    source: str
    model_version: str
    requested_at: datetime
    after_seq: int
    active_at: datetime
    finished_at: datetime | None
    rows: int


class ScoringRuns:
    """The scoring runs of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def begin(self, run_key: str, *, source: str, model_version: str, requested_at: datetime) -> ScoringRun:
        """Record that a run begins, or find the one that was begun before, with the moment that it was given then.

        Parameters
        ----------
        run_key, source, model_version, requested_at
            See `ScoringRun`.

        Returns
        -------
        ScoringRun
        """
        active_at = now()
        insert = insert_into(self._engine.dialect.name, scoring_runs)
        last = sa.select(sa.func.coalesce(sa.func.max(predictions.c.seq), 0))
        with translated(), self._engine.begin() as connection:
            lock_for_writing(connection)
            after_seq = int(connection.execute(last).scalar_one())
            new = ScoringRun(run_key, source[-1024:], model_version, requested_at, after_seq, active_at, None, 0)
            upsert = insert.values(asdict(new)).on_conflict_do_update(index_elements=["run_key"], set_={"active_at": active_at})
            row = connection.execute(upsert.returning(*scoring_runs.c)).mappings().one()
            return ScoringRun(**row)

    def keep_alive(self, run_key: str) -> None:
        """Record that a run goes on."""
        self._update(run_key, {"active_at": now()})

    def finish(self, run_key: str, rows: int) -> None:
        """Record that all predictions of a run are there.

        Parameters
        ----------
        run_key : str
        rows : int
            How many they are.
        """
        self._update(run_key, {"active_at": now(), "finished_at": now(), "rows": rows})

    def last_id(self, first: str, last: str) -> str | None:
        """Return the largest id of a prediction within two ids, both included.

        Parameters
        ----------
        first, last : str

        Returns
        -------
        str or None
            None if there is none.
        """
        found = sa.select(sa.func.max(predictions.c.prediction_id)).where(predictions.c.prediction_id.between(first, last))
        with translated(), self._engine.connect() as connection:
            largest: str | None = connection.execute(found).scalar_one()
        return largest

    def read(self, *, limit: int = 100) -> list[ScoringRun]:
        """Return the runs that were active last, newest first; at most `limit`."""
        query = sa.select(scoring_runs).order_by(scoring_runs.c.active_at.desc()).limit(limit)
        with translated(), self._engine.connect() as connection:
            return [ScoringRun(**row) for row in connection.execute(query).mappings()]

    def _update(self, run_key: str, values: dict[str, Any]) -> None:
        with translated(), self._engine.begin() as connection:
            connection.execute(sa.update(scoring_runs).where(scoring_runs.c.run_key == run_key).values(values))


def seen_until() -> sa.ScalarSelect[int | None]:
    """Return the number up to which predictions belong to no run that is under way, as part of a query; null if none is.

    One whose clock was far ahead, and that was killed, is abandoned too: the monitor would wait for it until that day.
    """
    around = now() - ABANDONED_AFTER, now() + ABANDONED_AFTER
    under_way = scoring_runs.c.finished_at.is_(None), scoring_runs.c.active_at > around[0], scoring_runs.c.active_at < around[1]
    return sa.select(sa.func.min(scoring_runs.c.after_seq)).where(*under_way).scalar_subquery()
