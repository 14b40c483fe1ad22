"""Find what customers looked like when they were last seen: the prediction before, of each customer of a window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from churn.contract import Contract
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.predictions.frames import frame_of_columns, parse_features
from churn.store.tables import predictions

if TYPE_CHECKING:
    import pandas as pd


class LastSeenReader:
    """The predictions of one database, by customer. Each method raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self, contract: Contract, seqs: Sequence[int], *, before_seq: int, until: datetime | None = None) -> pd.DataFrame:
        """Read the last earlier prediction of the same customer, by any model, for each of some predictions.

        An index finds each by customer and time, however many predictions there are: this costs about as much as to read the
        predictions found.

        Parameters
        ----------
        contract : Contract
            Names the features.
        seqs : sequence of int
            Numbers of predictions, one of each customer. Those that name no customer are passed over.
        before_seq : int
            Only predictions numbered below it are earlier ones.
        until : datetime, optional
            Only predictions requested up to then.

        Returns
        -------
        pandas.DataFrame, shape (n_found, 5 + n_features)
            Columns now (one of `seqs`, ascending), seq, requested_at (in UTC), model_version and churn_probability of the earlier
            prediction, then the contract's features as in `churn.customers.frame`.
        """
        import pandas as pd

        p, earlier = predictions.c, predictions.alias("earlier")
        last = (
            sa.select(earlier.c.seq)
            .where(earlier.c.customer_id == p.customer_id, earlier.c.seq < before_seq)
            .order_by(earlier.c.requested_at.desc(), earlier.c.seq.desc())
            .limit(1)
        )
        if until is not None:
            last = last.where(earlier.c.requested_at <= until)
        found: dict[int, int] = {}
        rows: list[sa.Row[Any]] = []
        with translated(), self._engine.connect() as connection:
            for chunk in chunks(sorted(seqs)):
                # A window's own predictions may be more than those before: without the limit, each would be read.
                which = sa.select(p.seq, last.correlate(predictions).scalar_subquery()).where(
                    p.seq.in_(chunk), p.customer_id.is_not(None)
                )
                found |= {earlier_seq: now for now, earlier_seq in connection.execute(which) if earlier_seq is not None}
            text, moment = sa.cast(p.features, sa.Text), sa.type_coerce(p.requested_at, sa.types.NULLTYPE)
            for chunk in chunks(sorted(found)):
                columns = sa.select(p.seq, moment, p.model_version, p.churn_probability, text)
                rows += connection.execute(columns.where(p.seq.in_(chunk))).all()
        ordered = sorted((found[row[0]], *row) for row in rows)
        now, seq, at, version, probability, texts = (list(part) for part in zip(*ordered, strict=True)) if ordered else ([],) * 6
        head = frame_of_columns([now, seq, at, probability], ["now", "seq", "requested_at", "churn_probability"])
        head = head.astype({"now": "int64"})
        head.insert(3, "model_version", pd.Series(version, dtype=object))
        return pd.concat([head, parse_features(texts, contract)], axis=1)
