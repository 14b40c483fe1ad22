"""Column types of the store's tables: moments in UTC, and members of an enum."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

if TYPE_CHECKING:
    import pandas as pd


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A moment in UTC. Naive datetimes are refused: they are how time zones get lost."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC.

        Parameters
        ----------
        value : datetime or None
            With a time zone.
        dialect : Dialect
            Not used.

        Returns
        -------
        datetime or None

        Raises
        ------
        ValueError
            If the moment is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the moment with its time zone, which SQLite does not store.

        Parameters
        ----------
        value : datetime or None
            As the driver returns it.
        dialect : Dialect
            Not used.

        Returns
        -------
        datetime or None
            In UTC.
        """
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)  # type: ignore[no-any-return]


class EnumText(sa.types.TypeDecorator[StrEnum]):
    """A member of a StrEnum, stored as its text."""

    impl = sa.String
    cache_ok = True

    def __init__(self, members: type[StrEnum], length: int) -> None:
        self.members = members
        super().__init__(length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text, so that no driver has to know the enum.

        Parameters
        ----------
        value : str or None
            A member.
        dialect : Dialect
            Not used.

        Returns
        -------
        str or None
        """
        return None if value is None else str(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        """Return the member that a text stands for.

        Parameters
        ----------
        value : str or None
            As it is stored.
        dialect : Dialect
            Not used.

        Returns
        -------
        StrEnum or None

        Raises
        ------
        ValueError
            If the text stands for no member.
        """
        return None if value is None else self.members(value)


# SQLite numbers rows by itself only in a column declared INTEGER.
Sequence = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")


def moments(values: Iterable[Any]) -> pd.Series:
    """Return moments as the driver returns them (texts on SQLite) in UTC: SQLAlchemy's conversion, row by row, takes far longer.

    Parameters
    ----------
    values : iterable of str or datetime, length n
        A text has no time zone and is in UTC.

    Returns
    -------
    pandas.Series of datetime64 with time zone UTC, shape (n,)

    Examples
    --------
    >>> moments(["2026-01-01 04:00:00.000000"])[0]
    Timestamp('2026-01-01 04:00:00+0000', tz='UTC')
    """
    import pandas as pd

    return pd.to_datetime(pd.Series(list(values), dtype=object), utc=True, format="ISO8601")
