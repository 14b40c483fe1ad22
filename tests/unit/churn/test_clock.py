"""The present moment, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from churn.clock import CLOCK_SKEW, now


def test_now_is_the_present_moment_in_utc() -> None:
    before = datetime.now(UTC)
    found = now()
    assert before <= found <= datetime.now(UTC)
    assert found.utcoffset() == timedelta(0)


def test_clocks_of_two_hosts_may_differ_by_minutes() -> None:
    assert timedelta(minutes=5) == CLOCK_SKEW
