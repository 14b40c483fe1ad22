"""Inserts that say what to do with rows that are there already: both databases can, each by its own dialect of SQL."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(dialect: str, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that knows ON CONFLICT.

    Parameters
    ----------
    dialect : str
        "sqlite" or "postgresql".
    table : sqlalchemy.Table

    Returns
    -------
    sqlalchemy.Insert

    Examples
    --------
    >>> table = sa.Table("seen", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    >>> print(insert_into("sqlite", table).on_conflict_do_nothing())
    INSERT INTO seen (id) VALUES (?) ON CONFLICT DO NOTHING
    """
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
