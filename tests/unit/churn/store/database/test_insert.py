"""Inserts that know ON CONFLICT, for both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.store.database.insert import insert_into

SEEN = sa.Table("seen", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))


@pytest.mark.parametrize(("dialect", "own"), [("postgresql", postgresql.Insert), ("sqlite", sqlite.Insert)])
def test_each_database_gets_its_own(dialect: str, own: type[sa.Insert]) -> None:
    assert isinstance(insert_into(dialect, SEEN), own)
