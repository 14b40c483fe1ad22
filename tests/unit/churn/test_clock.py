"""The present moment, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from churn.clock import CLOCK_SKEW, newest_credible, now


def test_now_is_the_present_moment_in_utc() -> None:
    before = datetime.now(UTC)
    found = now()
    assert before <= found <= datetime.now(UTC)
    assert found.utcoffset() == timedelta(0)


def test_clocks_of_two_hosts_may_differ_by_minutes() -> None:
    assert timedelta(minutes=5) == CLOCK_SKEW


def test_the_newest_moment_that_can_be_is_found_however_far_ahead_others_are() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    second, old = timedelta(seconds=1), at - timedelta(days=400)
    assert newest_credible(iter([old, at + CLOCK_SKEW, at]), at) == at + CLOCK_SKEW
    assert newest_credible([at + CLOCK_SKEW + second, old], at) == old
    # Whoever shows it sees that a clock is wrong.
    assert newest_credible([at + 2 * CLOCK_SKEW, at + 3 * CLOCK_SKEW], at) == at + 3 * CLOCK_SKEW
