"""Read predictions whole: ids, answers, outcomes and features, for training on them and for exports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from churn.contract import Contract
from churn.ids import first_id
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.predictions.frames import parse_features
from churn.store.tables import outcomes, predictions
from churn.store.treatment.labels import learnable
from churn.store.treatment.marks import CONTACT_EFFECT

if TYPE_CHECKING:
    import pandas as pd

PART_ROWS = 20_000
LOG_COLUMNS = [
    "seq",
    "prediction_id",
    "customer_id",
    "requested_at",
    "model_version",
    "churn_probability",
    "churned",
    "observed_at",
    "outcome_seq",
]


class LogReader:
    """The predictions of one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def count(self, *, model_version: str | None = None, after_seq: int = 0) -> int:
        """Count predictions.

        Parameters
        ----------
        model_version : str, optional
            Only answers of this model; by default, of all.
        after_seq : int
            Only predictions numbered above it.

        Returns
        -------
        int
        """
        query = sa.select(sa.func.count()).select_from(predictions).where(predictions.c.seq > after_seq)
        if model_version is not None:
            query = query.where(predictions.c.model_version == model_version)
        with translated(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def count_since(self, since: datetime, *, max_rows: int) -> int:
        """Count the predictions that were requested since a moment, by their ids, which begin with it.

        The log has no index of times, as it would make each write slower; that of the ids is in their order, and answers alone.

        Parameters
        ----------
        since : datetime
            With time zone; to the millisecond.
        max_rows : int
            How many to count at most. If so many are found, there may be more.

        Returns
        -------
        int
            In [0, max_rows].
        """
        first = first_id(int(since.timestamp() * 1000))
        found = sa.select(sa.literal(1)).where(predictions.c.prediction_id >= first).limit(max_rows).subquery()
        with translated(), self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(found)).scalar_one())

    def last_requested_at(self) -> datetime | None:
        """Return when the newest prediction was requested; None if there is none."""
        query = sa.select(predictions.c.requested_at).order_by(predictions.c.seq.desc()).limit(1)
        with translated(), self._engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def read(
        self,
        contract: Contract,
        *,
        model_version: str | None = None,
        after_seq: int = 0,
        after_outcome_seq: int | None = None,
        mature_until: datetime | None = None,
        newest: int | None = None,
        contact_effect: timedelta = CONTACT_EFFECT,
    ) -> pd.DataFrame:
        """Read predictions with their outcomes, in the order of `seq`.

        Parameters
        ----------
        contract : Contract
            Names the features.
        model_version : str, optional
            Only answers of this model.
        after_seq : int
            Only predictions numbered above it.
        after_outcome_seq : int, optional
            Only labelled predictions, whose outcome is numbered above it (0: all labelled ones). None: labelled or not.
        mature_until : datetime, optional
            Of labelled predictions, only those requested up to then; see `churn.store.maturity`.
        newest : int, optional
            At most so many, the newest: by number, or labelled ones by when they were requested.
        contact_effect : timedelta
            How long a contact may change what a customer does.

        Returns
        -------
        pandas.DataFrame, shape (n_predictions, 9 + n_features)
            Columns seq, prediction_id, customer_id, requested_at, model_version, churn_probability (0 to 1),
            churned (0.0, 1.0, or NaN while unknown), observed_at, outcome_seq (NaN while unknown), then the contract's
            features as in `churn.customers.frame`. Where customers were acted on, also the columns of
            `churn.store.treatment.labels.learnable`, and churned is NaN where nothing may be learned from it.
        """
        with translated(), self._engine.connect() as connection:
            if after_outcome_seq is None:
                rows = _read_all(connection, model_version, after_seq, newest)
            else:
                which = _labelled(model_version, after_seq, after_outcome_seq, mature_until, newest)
                rows = _read_labelled(connection, which)
            return learnable(connection, _frame(rows, contract), contact_effect)


def _read_all(
    connection: sa.Connection, model_version: str | None, after_seq: int, newest: int | None
) -> Sequence[Sequence[Any]]:
    p, o = predictions.c, outcomes.c
    query = (
        sa.select(*_columns(), o.churned, o.observed_at, o.seq)
        .join(outcomes, o.prediction_id == p.prediction_id, isouter=True)
        .where(p.seq > after_seq)
        .order_by(p.seq.desc())
        .limit(newest)
    )
    if model_version is not None:
        query = query.where(p.model_version == model_version)
    return connection.execute(query).all()[::-1]


def _labelled(
    model_version: str | None, after_seq: int, after_outcome_seq: int, mature_until: datetime | None, newest: int | None
) -> sa.Select[Any]:
    """Select labelled predictions by their outcomes alone."""
    o = outcomes.c
    which = sa.select(o.prediction_seq, o.churned, o.observed_at, o.seq).where(o.seq > after_outcome_seq)
    if after_seq:
        which = which.where(o.prediction_seq > after_seq)
    if model_version is not None:
        which = which.where(o.model_version == model_version)
    if mature_until is not None:
        which = which.where(o.requested_at <= mature_until)
    if newest is not None:
        which = which.order_by(o.requested_at.desc(), o.prediction_seq.desc()).limit(newest)
    return which


def _read_labelled(connection: sa.Connection, which: sa.Select[Any]) -> Sequence[Sequence[Any]]:
    """Read labelled predictions in two steps: find them among the outcomes, then read each by its number.

    As one query, a database that expects many of them may rather read all predictions there are.
    """
    labels = {row[0]: tuple(row[1:]) for row in connection.execute(which)}
    rows: list[Sequence[Any]] = []
    for chunk in chunks(sorted(labels)):
        found = connection.execute(sa.select(*_columns()).where(predictions.c.seq.in_(chunk)).order_by(predictions.c.seq))
        rows += [(*row, *labels[row.seq]) for row in found]
    return rows


def _columns() -> list[Any]:
    p = predictions.c
    text = sa.cast(p.features, sa.Text)
    return [p.seq, p.prediction_id, p.customer_id, p.requested_at, p.model_version, p.churn_probability, text]


def _frame(rows: Sequence[Sequence[Any]], contract: Contract) -> pd.DataFrame:
    import pandas as pd

    head = pd.DataFrame([(*row[:6], *row[7:]) for row in rows], columns=LOG_COLUMNS)
    head = head.astype({"churned": "float64", "outcome_seq": "float64"})
    starts = range(0, max(len(rows), 1), PART_ROWS)
    parts = [parse_features([row[6] for row in rows[start : start + PART_ROWS]], contract) for start in starts]
    return pd.concat([head, pd.concat(parts, ignore_index=True)], axis=1)
