"""How many outcomes were ever stored, removed ones included, without counting them all each time.

A row holds their number up to some `seq`; only outcomes above it are counted. Each monitoring run moves it on, and whoever
removes outcomes above it adds them: the count is exact, and never decreases.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from churn.store.tables import outcomes, row_counts

_OUTCOMES = row_counts.c.table_name == outcomes.name
_last_seq = sa.select(row_counts.c.last_seq).where(_OUTCOMES).scalar_subquery()
_row_count = sa.select(row_counts.c.row_count).where(_OUTCOMES).scalar_subquery()


def count_outcomes(connection: sa.Connection) -> int:
    """Return how many outcomes were ever stored."""
    newer = sa.select(sa.func.count()).select_from(outcomes).where(outcomes.c.seq > _last_seq).scalar_subquery()
    return int(connection.execute(sa.select(_row_count + newer)).scalar_one())


def move_count(connection: sa.Connection, watermark: int) -> None:
    """Count the outcomes up to a number below which none can appear any more; see `churn.store.database.watermark`.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    watermark : int
        A `seq` of outcomes. Nothing happens if the count is past it.
    """
    _lock_count(connection)
    between = sa.select(sa.func.count()).select_from(outcomes).where(outcomes.c.seq > _last_seq, outcomes.c.seq <= watermark)
    row = sa.update(row_counts).where(_OUTCOMES, row_counts.c.last_seq < watermark)
    connection.execute(row.values(row_count=row_counts.c.row_count + between.scalar_subquery(), last_seq=watermark))


def count_removed(connection: sa.Connection, removed: Sequence[int]) -> None:
    """Add outcomes that this transaction removed and that were not counted yet.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    removed : sequence of int
        Their `seq`.
    """
    last_seq = _lock_count(connection)
    if newer := sum(seq > last_seq for seq in removed):
        connection.execute(sa.update(row_counts).where(_OUTCOMES).values(row_count=row_counts.c.row_count + newer))


def _lock_count(connection: sa.Connection) -> int:
    """Keep others from moving the count until this transaction ends; return how far it has come."""
    return int(connection.execute(sa.select(row_counts.c.last_seq).where(_OUTCOMES).with_for_update()).scalar_one())
