"""How many outcomes were ever told, without counting them all each time somebody asks.

A row remembers how many there were up to a number; only those above it are counted. The monitor moves it on with each look, and
whoever removes outcomes adds those that it had not reached: the count is exact, and never goes back.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from churn.store.tables import outcomes, totals

OUTCOMES = "outcomes"
_upto = sa.select(totals.c.upto_seq).where(totals.c.name == OUTCOMES).scalar_subquery()
_counted = sa.select(totals.c.counted).where(totals.c.name == OUTCOMES).scalar_subquery()


def count_outcomes(connection: sa.Connection) -> int:
    """Count the outcomes that were ever stored."""
    newer = sa.select(sa.func.count()).select_from(outcomes).where(outcomes.c.seq > _upto).scalar_subquery()
    return int(connection.execute(sa.select(_counted + newer)).scalar_one())


def move_on(connection: sa.Connection, watermark_seq: int) -> None:
    """Remember the count up to a number below which nothing can appear any more (see `churn.store.watermark`)."""
    _hold(connection)
    between = sa.select(sa.func.count()).select_from(outcomes).where(outcomes.c.seq > _upto, outcomes.c.seq <= watermark_seq)
    row = sa.update(totals).where(totals.c.name == OUTCOMES, totals.c.upto_seq < watermark_seq)
    connection.execute(row.values(counted=totals.c.counted + between.scalar_subquery(), upto_seq=watermark_seq))


def keep_count(connection: sa.Connection, removed: Sequence[int]) -> None:
    """Add outcomes that were just removed, by their numbers, where the remembered one has not reached them yet."""
    upto = _hold(connection)
    if newer := sum(seq > upto for seq in removed):
        connection.execute(sa.update(totals).where(totals.c.name == OUTCOMES).values(counted=totals.c.counted + newer))


def _hold(connection: sa.Connection) -> int:
    """Let nobody else move the count until this transaction ends; give how far it has come."""
    query = sa.select(totals.c.upto_seq).where(totals.c.name == OUTCOMES).with_for_update()
    return int(connection.execute(query).scalar_one())
