"""The present moment, and how far the clocks of two hosts may differ."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

# A moment that another host wrote may lie this far ahead of our clock; beyond that, one of the two clocks is wrong.
CLOCK_SKEW = timedelta(minutes=5)


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


def newest_credible(moments: Iterable[datetime], at: datetime) -> datetime:
    """Return the newest of some moments that a right clock can have written by now.

    Parameters
    ----------
    moments : iterable of datetime
        At least one.
    at : datetime
        The present moment.

    Returns
    -------
    datetime
        The newest that is not ahead of `at` by more than `CLOCK_SKEW`. If all are, the newest: it shows that a clock is wrong.

    Examples
    --------
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> str(newest_credible([noon - timedelta(hours=1), noon + timedelta(days=1)], noon))
    '2026-03-01 11:00:00+00:00'
    """
    known = list(moments)
    return max([one for one in known if one <= at + CLOCK_SKEW] or known)
