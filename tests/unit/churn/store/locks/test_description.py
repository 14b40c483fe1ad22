from __future__ import annotations

from datetime import datetime

from churn.store.locks.description import describe_holder


def test_another_time_zone_is_shown_in_utc() -> None:
    since = datetime.fromisoformat("2026-03-01T00:30:00+02:00")
    assert describe_holder("ada", since) == "ada, since 2026-02-28 22:30:00 UTC"
