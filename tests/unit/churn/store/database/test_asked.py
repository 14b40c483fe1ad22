"""Lists as one parameter: every kind of value comes back as it was given, in SQLite; PostgreSQL's words are compiled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from churn.store.database.asked import asked, rows_asked
from churn.store.database.column_types import UtcTime

ENGINE = sa.create_engine("sqlite://")
COLUMNS = {"place": sa.Integer(), "name": sa.String(), "known": sa.Boolean(), "at": UtcTime()}
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**53), 2**53),
        st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        st.none() | st.booleans(),
        st.none() | MOMENTS,
    )
)


def read(rows: list[Any], columns: dict[str, Any]) -> list[Any]:
    with ENGINE.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(asked("sqlite", columns)), rows_asked(rows))]


@settings(max_examples=40)
@given(ROWS)
def test_rows_come_back_as_they_were_given_in_their_order(rows: list[Any]) -> None:
    assert read(rows, COLUMNS) == rows


def test_a_moment_is_given_in_any_time_zone() -> None:
    there = datetime(2026, 3, 1, 0, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert read([[there]], {"at": UtcTime()}) == [(datetime(2026, 2, 28, 22, 30, 0, 5, tzinfo=UTC),)]


@pytest.mark.parametrize(("type_", "cast"), [(sa.Integer(), "AS INTEGER"), (UtcTime(), "TIMESTAMP WITH TIME ZONE")])
def test_postgresql_casts_each_field_to_its_type(type_: Any, cast: str) -> None:
    text = str(sa.select(asked("postgresql", {"one": type_})).compile(dialect=postgresql.dialect()))
    assert "jsonb_array_elements" in text
    assert cast in text
    assert "json_extract" not in text
