"""Who must not be contacted now: who opted out, and who was contacted lately."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from churn.store.contacts.opt_outs import read_opt_outs
from churn.store.database.chunks import chunks
from churn.store.database.engine import translated
from churn.store.tables import contacts

Why = Literal["opted_out", "contacted_lately"]


class NotToContact:
    """Asks one database. Each method is one transaction, and raises StoreError if it fails."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self, customer_ids: Sequence[str], since: datetime, campaign: str | None = None) -> dict[str, Why]:
        """Return which of these customers must not be contacted, and why; an opt-out comes first.

        Parameters
        ----------
        customer_ids : sequence of str
            As the store has them: pseudonyms, if there are any.
        since : datetime
            With time zone; who was contacted at or after it was contacted lately.
        campaign : str, optional
            Its own contacts do not count: it is planned again.

        Returns
        -------
        dict
        """
        c = contacts.c
        found: dict[str, Why] = {}
        with translated(), self._engine.connect() as connection:
            for chunk in chunks(customer_ids):
                query = sa.select(c.customer_id).where(c.customer_id.in_(chunk), c.contacted_at >= since).distinct()
                if campaign is not None:
                    query = query.where(c.campaign != campaign)
                found |= {str(name): "contacted_lately" for name in connection.execute(query).scalars()}
                said = read_opt_outs(connection, chunk)
                found |= {name: "opted_out" for name, (opted_out, _) in said.items() if opted_out}
        return found
