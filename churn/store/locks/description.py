"""How the holder of a lock is shown to those who wait."""

from __future__ import annotations

from datetime import UTC, datetime


def describe_holder(holder: str, since: datetime) -> str:
    """Return who holds a lock, and since when.

    Parameters
    ----------
    holder : str
        As the holder named itself.
    since : datetime
        With time zone.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_holder("ada@desk (process 7), manual", datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    'ada@desk (process 7), manual, since 2026-03-01 09:30:00 UTC'
    """
    return f"{holder}, since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
