"""Count cohorts: predictions of some time, and how many of them have an outcome."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from churn.store.cohort import Cohort
from churn.store.database.engine import translated
from churn.store.tables import outcomes, predictions


class CohortCounter:
    """The cohorts of one database."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def count(self, *, seqs: tuple[int, int], times: tuple[datetime, datetime], model_version: str | None = None) -> Cohort:
        """Count the predictions between two of them. Indexes alone answer.

        Parameters
        ----------
        seqs : (int, int)
            Numbers of the first and the last.
        times : (datetime, datetime)
            When the first and the last were requested. The few that reached the store out of order, from a spool, may be counted
            by one of the two bounds only.
        model_version : str, optional
            Only answers of this model; by default, of all.

        Returns
        -------
        Cohort

        Raises
        ------
        StoreError
            If the store is away.
        """
        p, o = predictions.c, outcomes.c
        asked = sa.select(sa.func.count()).select_from(predictions).where(p.seq.between(*seqs))
        known = sa.select(sa.func.count()).select_from(outcomes).where(o.requested_at.between(*times))
        if model_version is not None:
            asked, known = asked.where(p.model_version == model_version), known.where(o.model_version == model_version)
        with translated(), self._engine.connect() as connection:
            every, labelled = connection.execute(sa.select(asked.scalar_subquery(), known.scalar_subquery())).one()
        return Cohort(max(every, labelled), labelled)

    def seems_of_leavers(self, model_version: str, times: tuple[datetime, datetime]) -> bool:
        """Return whether outcomes of a model's predictions seem to be told of those who left only (`Cohort.told_of_leavers`).

        Parameters
        ----------
        model_version : str
        times : (datetime, datetime)
            When the first and the last prediction were requested, at most.

        Returns
        -------
        bool

        Raises
        ------
        StoreError
            If the store is away.
        """
        o = outcomes.c
        means = [sa.func.avg(one) for one in (sa.cast(o.churned, sa.Integer), o.churn_probability)]
        ends = [end(one) for one in (o.prediction_seq, o.requested_at) for end in (sa.func.min, sa.func.max)]
        query = sa.select(*means, *ends).where(o.model_version == model_version, o.requested_at.between(*times))
        with translated(), self._engine.connect() as connection:
            rate, expected, first, last, begin, end = connection.execute(query).one()
        if rate is None:
            return False
        cohort = self.count(seqs=(first, last), times=(begin, end), model_version=model_version)
        return cohort.seems_of_leavers(float(rate), float(expected))
