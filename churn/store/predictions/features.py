"""Read the features of predictions by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from churn.contract import Contract
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.predictions.frames import parse_features
from churn.store.tables import predictions

if TYPE_CHECKING:
    import pandas as pd


class FeatureReader:
    """The predictions of one database, by number. Each method raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self, contract: Contract, seqs: Sequence[int]) -> pd.DataFrame:
        """Read what customers looked like in some predictions.

        Parameters
        ----------
        contract : Contract
            Names the features.
        seqs : sequence of int
            Numbers of predictions, each once. Those that are not there any more are passed over.

        Returns
        -------
        pandas.DataFrame, shape (n_found, 1 + n_features)
            Column seq (ascending), then the contract's features as in `churn.customers.frame`.
        """
        p = predictions.c
        rows: list[sa.Row[Any]] = []
        with translated(), self._engine.connect() as connection:
            for chunk in chunks(sorted(seqs)):
                query = sa.select(p.seq, sa.cast(p.features, sa.Text)).where(p.seq.in_(chunk)).order_by(p.seq)
                rows += connection.execute(query).all()
        found = parse_features([text for _, text in rows], contract)
        found.insert(0, "seq", [seq for seq, _ in rows])
        return found.astype({"seq": "int64"})
