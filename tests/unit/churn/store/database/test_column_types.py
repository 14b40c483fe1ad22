from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from churn.store.database.column_types import EnumText, Sequence, UtcTime

BERLIN = timezone(timedelta(hours=2))
DIALECT = sqlite.dialect()


class Kind(StrEnum):
    PLAIN = "plain"
    ODD = "odd"


def test_a_moment_is_stored_in_utc_and_comes_back_with_its_zone() -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("at", UtcTime))
    engine = sa.create_engine("sqlite://")
    given = datetime(2026, 7, 1, 1, 30, 0, 5, tzinfo=BERLIN)
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"at": given}, {"at": None}])
        assert connection.exec_driver_sql("SELECT at FROM t").scalars().all() == ["2026-06-30 23:30:00.000005", None]
        back = connection.execute(sa.select(table.c.at)).scalars().all()
        assert connection.execute(sa.select(sa.func.count()).where(table.c.at == given)).scalar_one() == 1
    assert back == [given, None]
    assert back[0].tzinfo is UTC


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"datetime\(2026, 3, 1.*has no time zone"):
        UtcTime().process_bind_param(datetime(2026, 3, 1), DIALECT)


def test_a_driver_that_knows_zones_is_believed_and_one_that_does_not_means_utc() -> None:
    zoned = UtcTime().process_result_value(datetime(2026, 3, 1, 12, tzinfo=BERLIN), DIALECT)
    assert zoned is not None
    assert (zoned.hour, zoned.tzinfo) == (10, UTC)
    assert UtcTime().process_result_value(datetime(2026, 3, 1, 12), DIALECT) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert isinstance(UtcTime().impl, sa.DateTime)
    assert "WITH TIME ZONE" in UtcTime().compile(postgresql.dialect())


def test_a_member_is_stored_as_its_text_and_comes_back_as_the_member() -> None:
    text = EnumText(Kind, 16)
    bound = text.process_bind_param(Kind.ODD, DIALECT)
    assert (bound, type(bound)) == ("odd", str)
    assert text.process_result_value("odd", DIALECT) is Kind.ODD
    assert (text.process_bind_param(None, DIALECT), text.process_result_value(None, DIALECT)) == (None, None)
    assert text.impl.length == 16
    with pytest.raises(ValueError, match="'other' is not a valid Kind"):
        text.process_result_value("other", DIALECT)


def test_rows_are_numbered_by_sqlite_itself_and_beyond_32_bits_by_postgresql() -> None:
    assert Sequence.compile(dialect=DIALECT) == "INTEGER"
    assert Sequence.compile(dialect=postgresql.dialect()) == "BIGINT"
    assert UtcTime.cache_ok
    assert EnumText.cache_ok
