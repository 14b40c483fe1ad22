"""The present moment, and how far the clocks of two hosts may differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# A moment that another host wrote may lie this far ahead of our clock; beyond that, one of the two clocks is wrong.
CLOCK_SKEW = timedelta(minutes=5)


def now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)
